import { testPlans } from '../plan-of.ts';

testPlans('USER', [
  { name: 'is stored as written', text: 'FROM scratch\nUSER app:staff', config: { User: 'app:staff' }, history: ['USER app:staff'] },
  { name: 'expands', text: 'FROM scratch\nARG id=7\nUSER $id:$id', config: { User: '7:7' } },
  { name: 'is that of the base without it', text: 'FROM app\nRUN id', config: { User: 'app' }, layers: [{ user: 'app' }] },
  { name: 'counts for the RUNs after it', text: 'FROM scratch\nRUN a\nUSER u\nRUN b', layers: [{ user: '' }, { user: 'u' }] },
]);
