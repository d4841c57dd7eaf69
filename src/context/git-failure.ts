import { BuildError } from '../diagnostics/build-error.ts';
import { redactUrl } from './git-access.ts';
import { GitFailure } from './git-command.ts';

/** What a failure of git means for who wrote the reference. Anything else stays what it is. */
export function gitError(remote: string, doing: string, cause: unknown): unknown {
  if (!(cause instanceof GitFailure)) return cause;
  const said = redactAll(cause.stderr) || 'it ended with an error';
  return new BuildError('GIT_FAILED', `cannot ${doing} "${redactUrl(remote)}": ${said}`, { cause, hint: hintFor(remote, said) });
}

/** git repeats the URL that it was given. */
const redactAll = (text: string): string => text.replace(/\b[a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^\s'"]+/g, redactUrl);

function hintFor(remote: string, said: string): string {
  if (/could not read Username|Authentication failed|error: 40[13]|HTTP 40[13]|terminal prompts disabled/i.test(said)) {
    return 'it does not exist, or is private: give a token with --secret id=GIT_AUTH_TOKEN,… (GIT_AUTH_TOKEN.<host> for one host alone)';
  }
  if (/unable to update url base from redirection|error: 30\d|HTTP 30\d/i.test(said)) {
    return 'with credentials no redirect is followed: write the address that it leads to';
  }
  if (/Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i.test(said)) {
    return 'the host shows another key than known_hosts has for it: do not go on before you know why';
  }
  if (/Permission denied|Could not read from remote repository/i.test(said) && !/^https?:/i.test(remote)) {
    return 'give the key by an ssh agent, with --ssh default';
  }
  if (/Could not resolve host|Name or service not known|Temporary failure in name resolution/i.test(said)) {
    return 'the host has no address: check the name and the network';
  }
  if (/not found|does not exist|not exported|does not appear to be a git repository/i.test(said))
    return 'check the address of the repository';
  if (/transport '\w*' not allowed|protocol '\w*' is not supported/i.test(said)) {
    return 'repositories are fetched by https, http, git and ssh only, their submodules too';
  }
  if (/fsck|gitmodules/i.test(said)) return 'the repository has damaged or dangerous objects';
  return 'check the address, the network, and proxy variables such as HTTPS_PROXY';
}
