import { testPlans } from '../plan-of.ts';

// Durations in the config are nanoseconds; the history is Go's %+v of the struct.
testPlans('HEALTHCHECK', [
  {
    name: 'runs a text by the shell',
    text: 'FROM scratch\nHEALTHCHECK CMD curl -f http://localhost',
    config: { Healthcheck: { Test: ['CMD-SHELL', 'curl -f http://localhost'] } },
    history: ['HEALTHCHECK {Test:[CMD-SHELL curl -f http://localhost] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}'],
  },
  {
    name: 'runs an array as it is',
    text: 'FROM scratch\nHEALTHCHECK CMD ["a", "b c"]',
    config: { Healthcheck: { Test: ['CMD', 'a', 'b c'] } },
  },
  {
    name: 'has durations and retries',
    text: 'FROM scratch\nHEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=2h --start-interval=5ms --retries=3 CMD x',
    config: {
      Healthcheck: { Test: ['CMD-SHELL', 'x'], Interval: 90e9, Timeout: 1.5e9, StartPeriod: 7200e9, StartInterval: 5e6, Retries: 3 },
    },
    history: ['HEALTHCHECK {Test:[CMD-SHELL x] Interval:1m30s Timeout:1.5s StartPeriod:2h0m0s StartInterval:5ms Retries:3}'],
  },
  { name: 'NONE switches it off', text: 'FROM app\nHEALTHCHECK NONE', config: { Healthcheck: { Test: ['NONE'] } } },
  {
    name: 'replaces all of the base',
    text: 'FROM app\nHEALTHCHECK --timeout=1s CMD x',
    config: { Healthcheck: { Test: ['CMD-SHELL', 'x'], Timeout: 1e9 } },
  },
  { name: 'is that of the base without it', text: 'FROM app\nENV a=1', config: { Healthcheck: { Test: ['CMD', 'true'], Interval: 1e9 } } },
  {
    name: 'leaves zeros to the default',
    text: 'FROM scratch\nHEALTHCHECK --interval=0 --retries=0 CMD x',
    config: { Healthcheck: { Test: ['CMD-SHELL', 'x'] } },
  },
]);
