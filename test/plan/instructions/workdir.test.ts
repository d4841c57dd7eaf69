// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Dockerfiles have them.
import { testPlans } from '../plan-of.ts';

testPlans('WORKDIR', [
  {
    name: 'makes the directory',
    text: 'FROM scratch\nWORKDIR /a',
    config: { WorkingDir: '/a' },
    history: ['WORKDIR /a'],
    layers: [{ kind: 'mkdir', path: '/a', user: '' }],
  },
  {
    name: 'is relative to the one before',
    text: 'FROM scratch\nWORKDIR /a\nWORKDIR b/./c\nWORKDIR ..',
    config: { WorkingDir: '/a/b' },
    history: ['WORKDIR /a', 'WORKDIR /a/b/c', 'WORKDIR /a/b'],
  },
  { name: 'is relative to that of the base', text: 'FROM app\nWORKDIR x', config: { WorkingDir: '/srv/x' } },
  { name: 'is relative to the root where the base has none', text: 'FROM debian\nWORKDIR x', config: { WorkingDir: '/x' } },
  { name: 'stops at the root', text: 'FROM scratch\nWORKDIR ../../a', config: { WorkingDir: '/a' } },
  { name: 'makes no layer for the root', text: 'FROM scratch\nWORKDIR /', config: { WorkingDir: '/' }, history: ['WORKDIR /'], layers: [] },
  { name: 'makes a layer even where it changes nothing', text: 'FROM app\nWORKDIR /srv', layers: [{ path: '/srv' }] },
  { name: 'belongs to the user', text: 'FROM scratch\nUSER 7:8\nWORKDIR /a', layers: [{ path: '/a', user: '7:8' }] },
  {
    name: 'keeps an absolute path as it was written',
    text: 'FROM scratch\nWORKDIR /a//b/./c/\nRUN x\nWORKDIR d/',
    config: { WorkingDir: '/a/b/c/d' },
    history: ['WORKDIR /a//b/./c/', 'RUN /bin/sh -c x # buildkit', 'WORKDIR /a/b/c/d'],
    layers: [{ path: '/a/b/c' }, { cwd: '/a/b/c' }, { path: '/a/b/c/d' }],
  },
  {
    name: 'that is empty changes nothing',
    text: 'FROM scratch\nWORKDIR $nothing\nWORKDIR /a\nWORKDIR $nothing',
    config: { WorkingDir: '/a' },
    history: ['WORKDIR /', 'WORKDIR /a', 'WORKDIR /a'],
    layers: [{ path: '/a' }, { path: '/a' }],
  },
  { name: 'expands', text: 'FROM scratch\nENV d=/d\nWORKDIR ${d}/e', config: { WorkingDir: '/d/e' } },
  { name: 'is / in an image from scratch', text: 'FROM scratch\nENV a=1', config: { WorkingDir: '/' } },
  { name: 'is what the base has', text: 'FROM app\nENV a=1', config: { WorkingDir: '/srv' } },
]);
