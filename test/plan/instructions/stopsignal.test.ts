import { testErrors, testPlans } from '../plan-of.ts';

testPlans('STOPSIGNAL', [
  ...['SIGTERM', 'term', '9', 'RTMIN+3', 'SIGRTMAX-14'].map((signal) => ({
    name: `takes "${signal}"`,
    text: `FROM scratch\nSTOPSIGNAL ${signal}`,
    config: { StopSignal: signal },
    history: [`STOPSIGNAL ${signal}`],
  })),
  { name: 'expands', text: 'FROM scratch\nARG s=SIGQUIT\nSTOPSIGNAL $s', config: { StopSignal: 'SIGQUIT' } },
]);

testErrors('STOPSIGNAL', [
  { name: 'refuses 0', text: 'FROM scratch\nSTOPSIGNAL 0', code: 'DOCKERFILE_INVALID', at: '2:12' },
  { name: 'refuses RTMIN+16', text: 'FROM scratch\nSTOPSIGNAL RTMIN+16', code: 'DOCKERFILE_INVALID' },
  { name: 'knows the nearest name', text: 'FROM scratch\nSTOPSIGNAL SIGTREM', code: 'DOCKERFILE_INVALID', hint: /SIGTERM/ },
]);
