import { testErrors, testPlans } from '../plan-of.ts';

testPlans('VOLUME', [
  {
    name: 'is a word of the config',
    text: 'FROM scratch\nVOLUME /b /a',
    config: { Volumes: { '/a': {}, '/b': {} } },
    history: ['VOLUME [/b /a]'],
    layers: [],
  },
  { name: 'takes an array', text: 'FROM scratch\nVOLUME ["/a b"]', config: { Volumes: { '/a b': {} } }, history: ['VOLUME [/a b]'] },
  { name: 'adds to those of the base', text: 'FROM app\nVOLUME /x', config: { Volumes: { '/data': {}, '/x': {} } } },
  { name: 'expands', text: 'FROM scratch\nENV d=/d\nVOLUME $d/x', config: { Volumes: { '/d/x': {} } } },
]);

testErrors('VOLUME', [{ name: 'is not empty', text: 'FROM scratch\nVOLUME /a $b', code: 'DOCKERFILE_INVALID', at: '2:11' }]);
