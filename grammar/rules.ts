// The grammar. It says which tokens make up an instruction; whether their number and values are right is the matter of instructions/.
// Every sequence of tokens that the lexer makes fits, so that an error in one line never takes the next one with it.

import { EmbeddedActionsParser, type IRecognitionException, type IToken } from 'chevrotain';
import { FirstTokens } from './lookahead.ts';
import {
  CheckKind,
  Comma,
  Directive,
  EndOfLine,
  ExecClose,
  ExecNotStrings,
  ExecOpen,
  Flag,
  FlagEnd,
  HeredocBody,
  JsonString,
  LegacyName,
  Name,
  Shebang,
  Text,
  vocabulary,
  Word,
} from './tokens.ts';

/** The tokens of a file, sorted. */
export interface FileNode {
  readonly shebang: IToken | undefined;
  readonly directives: readonly IToken[];
  readonly instructions: readonly InstructionNode[];
}

export type InstructionNode = DirectNode | TriggerNode;

/** An instruction that is no ONBUILD. */
export interface DirectNode extends Line, Ending {
  readonly name: IToken;
  readonly flags: readonly IToken[];
}

/** ONBUILD: its name (there should be one), and what it triggers. */
export interface TriggerNode {
  readonly names: readonly IToken[];
  readonly flags: readonly IToken[];
  readonly direct: DirectNode | undefined;
}

interface Line {
  readonly args: readonly IToken[];
  /** The arguments are the elements of an array, behind the CMD of a HEALTHCHECK. */
  readonly exec: boolean;
}

interface Ending {
  /** Undefined at the end of the file. */
  readonly endOfLine: IToken | undefined;
  readonly heredocs: readonly IToken[];
}

type Body = Omit<DirectNode, keyof Ending>;

export class DockerfileParser extends EmbeddedActionsParser {
  readonly dockerfile: () => FileNode = this.RULE('dockerfile', (): FileNode => {
    const directives: IToken[] = [];
    const instructions: InstructionNode[] = [];
    const shebang = this.OPTION(() => this.CONSUME(Shebang));
    this.MANY1(() => directives.push(this.CONSUME(Directive)));
    this.MANY2(() => instructions.push(this.SUBRULE(this.instruction)));
    return { shebang, directives, instructions };
  });

  readonly instruction = this.RULE(
    'instruction',
    (): InstructionNode => this.OR([{ ALT: () => this.SUBRULE(this.trigger) }, { ALT: () => this.SUBRULE(this.direct) }]),
  );

  /** ONBUILD and the instruction that it keeps for later. */
  readonly trigger = this.RULE('trigger', (): TriggerNode => {
    const names: IToken[] = [];
    const flags: IToken[] = [];
    this.AT_LEAST_ONE(() => {
      names.push(this.CONSUME(Name.trigger));
      flags.push(...this.flags());
    });
    const direct: DirectNode | undefined = this.OR([
      { ALT: () => this.SUBRULE(this.direct) },
      {
        ALT: () => {
          this.ending();
          return undefined;
        },
      },
    ]);
    return { names, flags, direct };
  });

  readonly direct = this.RULE('direct', (): DirectNode => {
    const { name, flags, args, exec }: Body = this.OR([
      { ALT: () => this.SUBRULE(this.command) },
      { ALT: () => this.SUBRULE(this.files) },
      { ALT: () => this.SUBRULE(this.words) },
      { ALT: () => this.SUBRULE(this.text) },
      { ALT: () => this.SUBRULE(this.assignments) },
      { ALT: () => this.SUBRULE(this.health) },
      { ALT: () => this.SUBRULE(this.unknown) },
    ]);
    const { endOfLine, heredocs } = this.ending();
    return { name, flags, args, exec, endOfLine, heredocs };
  });

  /** RUN, CMD, ENTRYPOINT, SHELL */
  readonly command = this.RULE('command', (): Body => {
    const name = this.OR2([{ ALT: () => this.CONSUME(Name.script) }, { ALT: () => this.CONSUME(Name.command) }]);
    return { name, flags: this.flags(), ...this.line() };
  });

  /** COPY, ADD, VOLUME */
  readonly files = this.RULE('files', (): Body => {
    const name = this.OR2([{ ALT: () => this.CONSUME(Name.files) }, { ALT: () => this.CONSUME(Name.list) }]);
    const flags = this.flags();
    const line: Line = this.OR3([
      { ALT: () => ({ args: this.SUBRULE(this.exec), exec: true }) },
      { ALT: () => ({ args: [this.CONSUME(ExecNotStrings)], exec: false }) },
      { ALT: () => ({ args: this.wordList(), exec: false }) },
    ]);
    return { name, flags, args: line.args, exec: line.exec };
  });

  /** FROM, EXPOSE, ARG */
  readonly words = this.RULE('words', (): Body => {
    const name = this.OR2([{ ALT: () => this.CONSUME(Name.words) }, { ALT: () => this.CONSUME(Name.names) }]);
    return { name, flags: this.flags(), args: this.wordList(), exec: false };
  });

  /** WORKDIR, USER, STOPSIGNAL, MAINTAINER */
  readonly text = this.RULE('text', (): Body => {
    const name = this.CONSUME(Name.text);
    return { name, flags: this.flags(), args: this.restOfLine(), exec: false };
  });

  /** ENV, LABEL */
  readonly assignments = this.RULE('assignments', (): Body => {
    const name = this.CONSUME(Name.assignments);
    const flags = this.flags();
    const args: IToken[] = this.OR([{ ALT: () => [this.CONSUME(LegacyName), ...this.restOfLine()] }, { ALT: () => this.wordList() }]);
    return { name, flags, args, exec: false };
  });

  /** HEALTHCHECK */
  readonly health = this.RULE('health', (): Body => {
    const name = this.CONSUME(Name.health);
    const flags = this.flags();
    const kind = this.OPTION1(() => this.CONSUME(CheckKind));
    const { args, exec } = this.line();
    return { name, flags, args: kind ? [kind, ...args] : args, exec };
  });

  readonly unknown = this.RULE('unknown', (): Body => {
    const name = this.CONSUME(Name.unknown);
    return { name, flags: [], args: this.restOfLine(), exec: false };
  });

  readonly exec = this.RULE('exec', (): IToken[] => {
    const strings: IToken[] = [];
    this.CONSUME(ExecOpen);
    this.MANY_SEP({ SEP: Comma, DEF: () => strings.push(this.CONSUME(JsonString)) });
    this.CONSUME(ExecClose);
    return strings;
  });

  constructor({ validate }: { readonly validate: boolean }) {
    super(vocabulary, { maxLookahead: 1, recoveryEnabled: false, skipValidations: !validate, lookaheadStrategy: new FirstTokens() });
    this.performSelfAnalysis();
  }

  // Parts of rules, each with numbers of its own: as rules they would cost a call for each instruction.

  private flags(): IToken[] {
    const flags: IToken[] = [];
    this.MANY9(() => flags.push(this.CONSUME9(Flag)));
    this.OPTION9(() => this.CONSUME9(FlagEnd));
    return flags;
  }

  private wordList(): IToken[] {
    const words: IToken[] = [];
    this.MANY8(() => words.push(this.CONSUME8(Word)));
    return words;
  }

  private restOfLine(): IToken[] {
    const text = this.OPTION7(() => this.CONSUME7(Text));
    return text ? [text] : [];
  }

  /** Exec form or shell form. */
  private line(): Line {
    const line = this.OPTION6(() =>
      this.OR6([
        { ALT: () => ({ args: this.SUBRULE6(this.exec), exec: true }) },
        { ALT: () => ({ args: [this.CONSUME6(ExecNotStrings)], exec: false }) },
        { ALT: () => ({ args: [this.CONSUME6(Text)], exec: false }) },
      ]),
    );
    return { args: line?.args ?? [], exec: line?.exec ?? false };
  }

  private ending(): Ending {
    const heredocs: IToken[] = [];
    const endOfLine = this.OPTION5(() => this.CONSUME5(EndOfLine));
    this.MANY5(() => heredocs.push(this.CONSUME5(HeredocBody)));
    return { endOfLine, heredocs };
  }
}

/**
 * Made when the module is loaded: a command that loads it parses a file, and can do so while it waits for other things. A test makes the
 * parser with its validations; here they would only cost time.
 */
const production = new DockerfileParser({ validate: false });

/** What the tokens make. */
export function parseTokens(tokens: IToken[]): { readonly file: FileNode | undefined; readonly errors: readonly IRecognitionException[] } {
  production.input = tokens;
  const file: FileNode | undefined = production.dockerfile();
  const { errors } = production;
  production.input = [];
  return { file, errors };
}
