import { BenchServer } from './measure/server.mjs';
import { entriesOf } from './measure/contenders.mjs';
import { measureLimitDrain } from './measure/limits.mjs';
const configs = (process.env.CONFIGS ?? 'none,turns,limit').split(',');
const count = Number(process.env.COUNT ?? 10000);
const rounds = Number(process.env.ROUNDS ?? 1);
const server = await BenchServer.start();
try {
  const entries = await entriesOf({ 'nestjs-cloacina limits': configs });
  const shape = { keys: 50, perKey: 50, slots: 100, handlerMs: 0 };
  for (let r = 0; r < rounds; r++)
    for (const entry of entries) {
      const m = await measureLimitDrain({ server, entry, shape, count, processes: 1 });
      console.log(process.env.LABEL ?? '', entry.configuration, JSON.stringify(m, (k, v) => typeof v === 'number' ? Number(v.toPrecision(4)) : v));
    }
} finally { await server.stop(); }
