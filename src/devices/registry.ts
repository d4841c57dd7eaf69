import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BuildError } from '../diagnostics/build-error.ts';
import { nearest } from '../diagnostics/suggest.ts';
import { type Edits, joinEdits } from './edits.ts';
import { readSpecification, type Specification, type SpecifiedDevice } from './specification.ts';

/** The later ones count more. Source: CDI 1.1, pkg/cdi, `DefaultSpecDirs`. */
export const defaultDirectories: readonly string[] = ['/etc/cdi', '/var/run/cdi'];

/** As BuildKit has them. */
const classAnnotation = 'org.mobyproject.buildkit.device.class';
const allowAnnotation = 'org.mobyproject.buildkit.device.autoallow';

/** A large one of a machine with many devices has a few 100 KiB. */
const mostBytes = 16 * 1024 * 1024;

interface Registered {
  readonly device: SpecifiedDevice;
  readonly specification: Specification;
  /** The place of its directory. */
  readonly priority: number;
}

/** What `--device` of a RUN asks for. */
export interface DeviceRequest {
  /** `vendor/class=name`, `vendor/class`, `vendor/class=*`, or a class that devices are annotated with. */
  readonly name: string;
  readonly required: boolean;
}

/** The devices of this machine that have a specification. It is read when the first one is asked for. */
export class DeviceRegistry {
  readonly #directories: readonly string[];
  #devices: ReadonlyMap<string, Registered> | undefined;
  /** Files that could not be read, and why. */
  readonly #problems: string[] = [];

  constructor(directories: readonly string[] = defaultDirectories) {
    this.#directories = directories;
  }

  /** Full names of what is meant, sorted; none where there is no such device. Source: BuildKit, cdidevices, `parseDevice`. */
  find(name: string): readonly string[] {
    const all = [...this.#load().keys()].toSorted();
    const [kind = '', device = ''] = name.split(/=(.*)/s, 2);
    const ofKind = all.filter((each) => each.startsWith(`${kind}=`));
    const found = !/^.+\/.+$/.test(kind)
      ? []
      : device === ''
        ? ofKind.slice(0, 1)
        : device === '*'
          ? ofKind
          : ofKind.filter((each) => each === name);
    return found.length > 0 ? found : all.filter((each) => this.#annotation(each, classAnnotation) === name);
  }

  /** Whether its specification lets any Dockerfile have it. */
  isAllowed(name: string): boolean {
    return /^(?:1|t|T|true|TRUE|True)$/.test(this.#annotation(name, allowAnnotation) ?? '');
  }

  /** Throws UNSUPPORTED. */
  missing(name: string): BuildError {
    const near = nearest(name, this.#load().keys());
    const where = `devices are described by files of the Container Device Interface in ${this.#directories.join(' and ')}`;
    const hint = this.#problems[0] ?? (near ? `did you mean "${near}"?` : where);
    return new BuildError('UNSUPPORTED', `this machine has no device "${name}"`, { hint, notes: this.#problems.slice(1) });
  }

  /** What a container with these devices gets; what all of a kind need comes once. Throws UNSUPPORTED for what cannot be given. */
  edits(names: readonly string[]): Edits {
    const seen = new Set<Specification>();
    const edits: Edits[] = [];
    for (const name of names) {
      const found = this.#load().get(name);
      if (!found) throw this.missing(name);
      if (!seen.has(found.specification)) edits.push(found.specification.edits);
      seen.add(found.specification);
      edits.push(found.device.edits);
    }
    const joined = joinEdits(edits);
    const [refused] = joined.refused;
    if (refused === undefined) return joined;
    throw new BuildError('UNSUPPORTED', `the specification of "${names.join('", "')}" asks for ${refused}`, {
      hint: 'only device nodes, mounts and variables are given: leave the rest out of a copy of the file, and name its folder with --cdi-spec-dir',
    });
  }

  #annotation(name: string, annotation: string): string | undefined {
    const annotations = this.#load().get(name)?.device.annotations;
    return annotations && Object.hasOwn(annotations, annotation) ? annotations[annotation] : undefined;
  }

  #load(): ReadonlyMap<string, Registered> {
    if (this.#devices) return this.#devices;
    const devices = new Map<string, Registered>();
    const conflicts = new Set<string>();
    for (const [priority, directory] of this.#directories.entries()) {
      for (const path of filesOf(directory)) {
        const specification = this.#read(path);
        for (const [name, device] of specification?.devices ?? []) {
          if (!specification) continue;
          const full = `${specification.kind}=${name}`;
          if (devices.get(full)?.priority === priority) conflicts.add(full);
          devices.set(full, { device, specification, priority });
        }
      }
    }
    // Of two files of one directory nobody can say which is meant.
    for (const name of conflicts) {
      devices.delete(name);
      this.#problems.push(`two files describe the device "${name}"`);
    }
    this.#devices = devices;
    return devices;
  }

  #read(path: string): Specification | undefined {
    try {
      return readSpecification(readWhole(path));
    } catch (error) {
      const isYaml = error instanceof SyntaxError && /\.ya?ml$/.test(path);
      const why = isYaml ? 'YAML is not read here: write the file as JSON' : error instanceof Error ? error.message : String(error);
      this.#problems.push(`"${path}" is left out: ${why}`);
      return undefined;
    }
  }
}

function filesOf(directory: string): readonly string[] {
  try {
    const names = readdirSync(directory).filter((name) => /\.(?:json|ya?ml)$/.test(name));
    return names.toSorted().map((name) => join(directory, name));
  } catch {
    // Most machines have none.
    return [];
  }
}

/** Without waiting for the other end of a pipe. */
function readWhole(path: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile() || stats.size > mostBytes) throw new TypeError('it is no file of a size that could be read');
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}
