import { type Edits, listOf, objectOf, readEdits, textOf } from './edits.ts';

/** One file of the Container Device Interface: devices of one kind. */
export interface Specification {
  /** `vendor/class`. */
  readonly kind: string;
  readonly edits: Edits;
  readonly devices: ReadonlyMap<string, SpecifiedDevice>;
}

export interface SpecifiedDevice {
  readonly edits: Edits;
  /** Those of the file and its own. */
  readonly annotations: Readonly<Record<string, string>>;
}

// Source: CDI 1.1, pkg/parser.
const kindPattern = /^[A-Za-z](?:[\w.-]*[A-Za-z0-9])?\/[A-Za-z](?:[\w.-]*[A-Za-z0-9])?$/;
const devicePattern = /^[A-Za-z0-9](?:[\w.:-]*[A-Za-z0-9])?$/;

/** Whether it is `vendor/class=name`. */
export function isQualifiedName(text: string): boolean {
  const [kind = '', name] = text.split(/=(.*)/s, 2);
  return name !== undefined && kindPattern.test(kind) && devicePattern.test(name);
}

/** Reads a specification; throws TypeError for what is none. */
export function readSpecification(text: string): Specification {
  const document = objectOf(JSON.parse(text));
  const version = textOf(document.cdiVersion);
  if (!/^[01]\.\d+\.\d+$/.test(version)) throw new TypeError(`the version "${version}" is not known`);
  const kind = textOf(document.kind);
  if (!kindPattern.test(kind)) throw new TypeError(`"${kind}" is no kind of device: it is VENDOR/CLASS`);
  const own = annotationsOf(document.annotations);
  const devices = new Map<string, SpecifiedDevice>();
  for (const value of listOf(document.devices)) {
    const device = objectOf(value);
    const name = textOf(device.name);
    if (!devicePattern.test(name)) throw new TypeError(`"${name}" is no name of a device`);
    if (devices.has(name)) throw new TypeError(`it has two devices "${name}"`);
    devices.set(name, { edits: readEdits(device.containerEdits), annotations: { ...own, ...annotationsOf(device.annotations) } });
  }
  if (devices.size === 0) throw new TypeError('it has no devices');
  return { kind, edits: readEdits(document.containerEdits), devices };
}

/** Values that are no text come from hands that forgot the quotes. */
const annotationsOf = (value: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(value === undefined || value === null ? {} : objectOf(value)).map(([name, each]) => [name, String(each)]),
  );
