/** Source: OCI image-spec, image-index.md, `platform`. `architecture` is Go's GOARCH. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
}
