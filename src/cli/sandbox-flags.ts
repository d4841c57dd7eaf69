import { resolve } from 'node:path';
import type { CertificatesOption, SecurityOptions } from '../build-options.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Flag } from './flag.ts';
import { parseCertificates } from './values/certificates.ts';
import { parseSecurityOption } from './values/security-option.ts';

/** How containers are walled in and what they find there, as `cooper build` and `cooper run` take it. */
export interface SandboxFlags {
  certificates?: CertificatesOption;
  security: SecurityOptions;
  readonly cdiDirectories: string[];
}

export const defaultSandboxFlags = (): SandboxFlags => ({ security: {}, cdiDirectories: [] });

/** `who` trusts them. */
export const certificatesFlag = (who: string): Flag<SandboxFlags> => ({
  name: 'ca-certificates',
  value: 'FILE|DIR',
  optional: true,
  help: `certificates of authorities that ${who} trusts besides the image's (default: this machine's); nothing of them stays in the image`,
  set: (options, text, caller) => {
    options.certificates = parseCertificates(text, caller);
  },
});

/** `what` is described there. */
export const cdiDirectoryFlag = (what: string): Flag<SandboxFlags> => ({
  name: 'cdi-spec-dir',
  value: 'DIR',
  help: `where ${what} are described (default: /etc/cdi and /var/run/cdi); may be given several times, the last counts most`,
  set: ({ cdiDirectories }, text, { directory }) => {
    if (text === '') throw new BuildError('ARG_INVALID', '"--cdi-spec-dir" needs a directory');
    cdiDirectories.push(resolve(directory, text));
  },
});

/** `whose` walls they are. */
export const securityFlag = (whose: string): Flag<SandboxFlags> => ({
  name: 'security-opt',
  value: 'OPTION',
  help: `walls of ${whose}: seccomp=FILE, seccomp=unconfined, no-new-privileges, systempaths=unconfined; may be given several times`,
  set: (options, text, caller) => {
    options.security = { ...options.security, ...parseSecurityOption(text, caller) };
  },
});
