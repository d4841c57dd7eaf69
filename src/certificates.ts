import type { CertificatesOption } from './build-options.ts';
import type { Certificates } from './context/certificates.ts';

interface Asked {
  readonly certificates?: CertificatesOption;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** What `--ca-certificates` gives to containers. Read only where it is asked for. */
export async function certificatesOf({ certificates, environment = {} }: Asked): Promise<Certificates | undefined> {
  if (!certificates) return undefined;
  return (await import('./context/certificates.ts')).readCertificates(certificates.source, environment);
}
