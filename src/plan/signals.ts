const names = new Set(
  (
    'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG ' +
    'USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'
  ).split(' '),
);

/** The names, for suggestions. */
export const signalNames: readonly string[] = [...names].map((name) => `SIG${name}`);

/**
 * Whether STOPSIGNAL takes this: any number but 0 (BuildKit asks no more of it), or a name of Linux, in any case, with or without `SIG`.
 */
export function isSignal(text: string): boolean {
  if (/^[-+]?\d{1,18}$/.test(text)) return Number(text) !== 0;
  const name = text.toUpperCase().replace(/^SIG/, '');
  return names.has(name) || /^RTMIN\+(?:[1-9]|1[0-5])$/.test(name) || /^RTMAX-(?:[1-9]|1[0-4])$/.test(name);
}
