import type { BuildOptions } from '../build-options.ts';
import { checkDockerfile, listTargets, type OnMissedBase, outlineDockerfile } from '../call.ts';
import type { BuildError } from '../diagnostics/build-error.ts';
import { renderFinding } from '../diagnostics/render.ts';
import { checkText, outlineText, targetsText } from './call-text.ts';
import type { Caller } from './caller.ts';
import type { CallArgument } from './values/call.ts';

/** Answers what is asked about a Dockerfile, on standard output. Gives the exit status: 1 for a check that has found something. */
export async function answer(
  call: CallArgument,
  options: BuildOptions,
  { writeResult, writeMessage, color, signal }: Caller,
): Promise<number> {
  const show = (result: object, text: string): Promise<void> => writeResult(call.json ? `${goJson(result)}\n` : text);
  const onMissedBase: OnMissedBase = (reference, error) => {
    const message = `"${reference}" could not be looked at, so its variables, its shell and its ONBUILD are not known here: ${error.message}`;
    void writeMessage(renderFinding({ severity: 'warning', message }, { color }));
  };
  switch (call.method) {
    case 'targets': {
      const list = await listTargets(options, signal);
      await show(list, targetsText(list));
      return 0;
    }
    case 'outline': {
      const outline = await outlineDockerfile(options, onMissedBase, signal);
      await show(outline, outlineText(outline));
      return 0;
    }
    case 'check': {
      const check = await checkDockerfile(options, onMissedBase, signal);
      await show(check.result, checkText(check));
      if (check.error) throw check.error satisfies BuildError;
      return check.warnings.length > 0 && !call.ignoreStatus ? 1 : 0;
    }
  }
}

/** As Go writes it: what could end a script in HTML is escaped. */
const goJson = (value: object): string =>
  JSON.stringify(value, undefined, 2).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
