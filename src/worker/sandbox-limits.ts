// Parts of `SandboxParams`; protocol.ts has the rest of the messages.

/** Of a terminal, in characters. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** What a container may use together, by its cgroup. */
export interface SandboxLimits {
  readonly memoryBytes?: number;
  /** Memory and swap together; -1 is no limit. Left out: twice the memory. */
  readonly memorySwapBytes?: number;
  /** Millionths of a processor. */
  readonly cpus?: number;
  /** 2 to 262144; 1024 is what a cgroup has that nobody asked it for. */
  readonly cpuShares?: number;
  /** A list of the kernel's: `0-2,4`. */
  readonly cpusetCpus?: string;
  readonly pids?: number;
}
