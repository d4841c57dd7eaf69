/** Events of a request's stream: a part of protocol.ts. */
export type WorkerEvent =
  | { readonly type: 'welcome'; readonly version: number; readonly build: string }
  | { readonly type: 'warning'; readonly message: string }
  | { readonly type: 'started' }
  /** Somebody in the container has connected to an `ssh` mount: `sandbox.connect` is to follow. */
  | { readonly type: 'connection'; readonly agent: string; readonly connection: number }
  /** A port of a container for which no port of the host was asked: where it is, as `127.0.0.1:49152`. */
  | { readonly type: 'published'; readonly port: number; readonly protocol: 'tcp' | 'udp'; readonly at: string }
  /** Bytes done so far of a long request. */
  | { readonly type: 'progress'; readonly current: number; readonly total: number };
