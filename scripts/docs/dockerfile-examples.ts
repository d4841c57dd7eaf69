/** A Dockerfile's line, or several, that uses something; it stands behind a FROM, unless it has one itself. */
export interface Example {
  readonly text: string;
  /** For what is no flag: what the line shows. */
  readonly shows?: string;
}

const digest = `sha256:${'0'.repeat(64)}`;

/** One for each flag of the grammar's tables: a flag without one is an error. */
export const flagExamples: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ADD: {
    checksum: `ADD --checksum=${digest} https://example.com/a.tar.gz /srv/`,
    chmod: 'ADD --chmod=0644 a.tar.gz /srv/',
    chown: 'ADD --chown=1000:1000 a.tar.gz /srv/',
    exclude: 'ADD --exclude=*.md . /srv/',
    'keep-git-dir': 'ADD --keep-git-dir=true https://example.com/a.git /srv/',
    link: 'ADD --link a.tar.gz /srv/',
    unpack: 'ADD --unpack=false a.tar.gz /srv/',
  },
  COPY: {
    chmod: 'COPY --chmod=u=rwX,go=rX . /srv/',
    chown: 'COPY --chown=app:app . /srv/',
    exclude: 'COPY --exclude=*.md . /srv/',
    from: 'COPY --from=base /etc/passwd /srv/',
    link: 'COPY --link . /srv/',
    parents: 'COPY --parents src/a/b.txt /srv/',
  },
  FROM: { platform: 'FROM --platform=linux/amd64 base' },
  HEALTHCHECK: {
    interval: 'HEALTHCHECK --interval=30s CMD true',
    retries: 'HEALTHCHECK --retries=3 CMD true',
    'start-interval': 'HEALTHCHECK --start-interval=1s CMD true',
    'start-period': 'HEALTHCHECK --start-period=10s CMD true',
    timeout: 'HEALTHCHECK --timeout=5s CMD true',
  },
  RUN: {
    device: 'RUN --device=vendor.example/gpu=all true',
    mount: 'RUN --mount=type=cache,target=/cache true',
    network: 'RUN --network=none true',
    security: 'RUN --security=insecure true',
  },
};

/** The forms of each instruction: one at least. */
export const forms: Readonly<Record<string, readonly [Example, ...Example[]]>> = {
  ADD: [
    { text: 'ADD a.tar.gz /srv/', shows: 'an archive of the context, unpacked' },
    { text: 'ADD <<EOF /srv/file\ntext\nEOF', shows: 'a heredoc' },
    { text: 'ADD https://example.com/a.tar.gz /srv/', shows: 'a URL' },
    { text: 'ADD https://example.com/a.git#main /srv/', shows: 'a git repository' },
  ],
  ARG: [{ text: 'ARG VERSION=1' }],
  CMD: [
    { text: 'CMD ["program", "argument"]', shows: 'exec form' },
    { text: 'CMD program argument', shows: 'shell form' },
  ],
  COPY: [
    { text: 'COPY a.txt src/* /srv/', shows: 'files of the context' },
    { text: 'COPY <<EOF /srv/file\ntext\nEOF', shows: 'a heredoc' },
    { text: 'COPY a.txt <<EOF /srv/\ntext\nEOF', shows: 'files and a heredoc at once' },
  ],
  ENTRYPOINT: [
    { text: 'ENTRYPOINT ["program"]', shows: 'exec form' },
    { text: 'ENTRYPOINT program', shows: 'shell form' },
  ],
  ENV: [{ text: 'ENV NAME=value OTHER="a b"' }, { text: 'ENV NAME the value', shows: 'the old form' }],
  EXPOSE: [{ text: 'EXPOSE 80 53/udp 8000-8010' }],
  FROM: [
    { text: 'FROM base', shows: 'an image' },
    { text: 'FROM scratch\nCOPY . /', shows: 'nothing' },
    { text: 'FROM base AS build\nFROM build', shows: 'an earlier stage' },
  ],
  HEALTHCHECK: [{ text: 'HEALTHCHECK CMD true' }, { text: 'HEALTHCHECK NONE', shows: 'none, whatever the base has' }],
  LABEL: [{ text: 'LABEL name=value' }],
  MAINTAINER: [{ text: 'MAINTAINER somebody', shows: 'deprecated: a LABEL is better' }],
  ONBUILD: [{ text: 'ONBUILD RUN true' }],
  RUN: [
    { text: 'RUN program && other', shows: 'shell form' },
    { text: 'RUN ["program", "argument"]', shows: 'exec form' },
    { text: 'RUN <<EOF\nprogram\nEOF', shows: 'a heredoc: the text for the shell, or a script that begins with `#!`' },
    { text: 'RUN --mount=type=bind,source=src,target=/src true', shows: 'files of the context or, with `from=`, of a stage or image' },
    { text: 'RUN --mount=type=cache,target=/cache,sharing=locked true', shows: 'a directory that stays between builds' },
    { text: 'RUN --mount=type=cache,target=/cache,from=base,source=/etc true', shows: 'the same, with files to begin with' },
    { text: 'RUN --mount=type=tmpfs,target=/scratch,size=64m true', shows: 'a directory in memory' },
    { text: 'RUN --mount=type=secret,id=token,env=TOKEN true', shows: 'a secret of `--secret`, as a file or a variable' },
    { text: 'RUN --mount=type=ssh true', shows: 'the agent, or keys, of `--ssh`' },
    { text: 'RUN --security=insecure true', shows: 'all rights, with `cooper build --allow security.insecure`' },
    { text: 'RUN --network=host true', shows: "the machine's network, with `cooper build --allow network.host` or `--network host`" },
  ],
  SHELL: [{ text: 'SHELL ["/bin/bash", "-c"]' }],
  STOPSIGNAL: [{ text: 'STOPSIGNAL SIGINT' }],
  USER: [{ text: 'USER app:app' }],
  VOLUME: [
    { text: 'VOLUME /data', shows: 'words' },
    { text: 'VOLUME ["/data", "/a b"]', shows: 'exec form' },
  ],
  WORKDIR: [{ text: 'WORKDIR /srv' }],
};
