// The grammar. It says which tokens make up an instruction; whether their number and values are right is the matter of instructions/.
// Every sequence of tokens that the lexer makes fits, so that an error in one line never takes the next one with it.

import { type CstNode, CstParser, type IRecognitionException, type IToken } from 'chevrotain';
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
  UnknownName,
  vocabulary,
  Word,
} from './tokens.ts';

export class DockerfileParser extends CstParser {
  readonly dockerfile = this.RULE('dockerfile', () => {
    this.OPTION(() => this.CONSUME(Shebang));
    this.MANY1(() => this.CONSUME(Directive, { LABEL: 'directive' }));
    this.MANY2(() => this.SUBRULE(this.instruction));
  });

  readonly instruction = this.RULE('instruction', () => {
    this.OR([{ ALT: () => this.SUBRULE(this.trigger) }, { ALT: () => this.SUBRULE(this.direct) }]);
  });

  /** ONBUILD and the instruction that it keeps for later. */
  readonly trigger = this.RULE('trigger', () => {
    this.AT_LEAST_ONE(() => {
      this.CONSUME(Name.trigger, { LABEL: 'name' });
      this.SUBRULE(this.flags);
    });
    this.OR([{ ALT: () => this.SUBRULE(this.direct) }, { ALT: () => this.SUBRULE(this.ending) }]);
  });

  readonly direct = this.RULE('direct', () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.command) },
      { ALT: () => this.SUBRULE(this.files) },
      { ALT: () => this.SUBRULE(this.words) },
      { ALT: () => this.SUBRULE(this.text) },
      { ALT: () => this.SUBRULE(this.assignments) },
      { ALT: () => this.SUBRULE(this.health) },
      { ALT: () => this.SUBRULE(this.unknown) },
    ]);
    this.SUBRULE(this.ending);
  });

  /** RUN, CMD, ENTRYPOINT, SHELL */
  readonly command = this.RULE('command', () => {
    this.OR1([{ ALT: () => this.CONSUME(Name.command, { LABEL: 'name' }) }, { ALT: () => this.CONSUME(Name.script, { LABEL: 'name' }) }]);
    this.SUBRULE(this.flags);
    this.SUBRULE(this.line);
  });

  /** COPY, ADD, VOLUME */
  readonly files = this.RULE('files', () => {
    this.OR1([{ ALT: () => this.CONSUME(Name.files, { LABEL: 'name' }) }, { ALT: () => this.CONSUME(Name.list, { LABEL: 'name' }) }]);
    this.SUBRULE(this.flags);
    this.OR2([
      { ALT: () => this.SUBRULE(this.exec) },
      { ALT: () => this.CONSUME(ExecNotStrings, { LABEL: 'argument' }) },
      { ALT: () => this.MANY(() => this.CONSUME(Word, { LABEL: 'argument' })) },
    ]);
  });

  /** FROM, EXPOSE, ARG */
  readonly words = this.RULE('words', () => {
    this.OR([{ ALT: () => this.CONSUME(Name.words, { LABEL: 'name' }) }, { ALT: () => this.CONSUME(Name.names, { LABEL: 'name' }) }]);
    this.SUBRULE(this.flags);
    this.MANY(() => this.CONSUME(Word, { LABEL: 'argument' }));
  });

  /** WORKDIR, USER, STOPSIGNAL, MAINTAINER */
  readonly text = this.RULE('text', () => {
    this.CONSUME(Name.text, { LABEL: 'name' });
    this.SUBRULE(this.flags);
    this.OPTION(() => this.CONSUME(Text, { LABEL: 'argument' }));
  });

  /** ENV, LABEL */
  readonly assignments = this.RULE('assignments', () => {
    this.CONSUME(Name.assignments, { LABEL: 'name' });
    this.SUBRULE(this.flags);
    this.OR([
      {
        ALT: () => {
          this.CONSUME(LegacyName, { LABEL: 'argument' });
          this.OPTION(() => this.CONSUME(Text, { LABEL: 'argument' }));
        },
      },
      { ALT: () => this.MANY(() => this.CONSUME(Word, { LABEL: 'argument' })) },
    ]);
  });

  /** HEALTHCHECK */
  readonly health = this.RULE('health', () => {
    this.CONSUME(Name.health, { LABEL: 'name' });
    this.SUBRULE(this.flags);
    this.OPTION(() => {
      this.CONSUME(CheckKind, { LABEL: 'argument' });
      this.SUBRULE(this.line);
    });
  });

  readonly unknown = this.RULE('unknown', () => {
    this.CONSUME(UnknownName, { LABEL: 'name' });
    this.OPTION(() => this.CONSUME(Text, { LABEL: 'argument' }));
  });

  readonly flags = this.RULE('flags', () => {
    this.MANY(() => this.CONSUME(Flag, { LABEL: 'flag' }));
    this.OPTION(() => this.CONSUME(FlagEnd));
  });

  /** Exec form or shell form. */
  readonly line = this.RULE('line', () => {
    this.OPTION(() =>
      this.OR([
        { ALT: () => this.SUBRULE(this.exec) },
        { ALT: () => this.CONSUME(ExecNotStrings, { LABEL: 'argument' }) },
        { ALT: () => this.CONSUME(Text, { LABEL: 'argument' }) },
      ]),
    );
  });

  readonly exec = this.RULE('exec', () => {
    this.CONSUME(ExecOpen);
    this.MANY_SEP({ SEP: Comma, DEF: () => this.CONSUME(JsonString, { LABEL: 'argument' }) });
    this.CONSUME(ExecClose);
  });

  readonly ending = this.RULE('ending', () => {
    this.OPTION(() => {
      this.CONSUME(EndOfLine);
      this.MANY(() => this.CONSUME(HeredocBody, { LABEL: 'heredoc' }));
    });
  });

  constructor({ validate }: { readonly validate: boolean }) {
    super(vocabulary, { maxLookahead: 1, recoveryEnabled: true, skipValidations: !validate });
    this.performSelfAnalysis();
  }
}

let production: DockerfileParser | undefined;

/** The concrete tree of the tokens. A test makes the parser with its validations; here they would only cost time. */
export function parseTokens(tokens: IToken[]): { readonly tree: CstNode; readonly errors: readonly IRecognitionException[] } {
  production ??= new DockerfileParser({ validate: false });
  production.input = tokens;
  const tree = production.dockerfile();
  const { errors } = production;
  production.input = [];
  return { tree, errors };
}
