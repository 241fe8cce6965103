import { withCallers } from '../measure/callers.mjs';
import { freePort } from '../measure/free-port.mjs';
import { Handled } from '../measure/handled.mjs';
import { restateBinary, startRestate } from '../measure/restate-server.mjs';
import { taskWork } from '../measure/shape.mjs';

export const restate = {
  name: 'Restate',
  configurations: {
    default: {
      about:
        'restate-server with default options, which stores in RocksDB and not in PostgreSQL; the service called by 100 callers',
      callers: 100,
    },
    fast: { about: 'the same by 1,000 callers', callers: 1_000 },
  },
  /** Its work leaves no trace in PostgreSQL, so no costs are told. */
  hasOwnServer: true,
  absent: () =>
    restateBinary() === undefined
      ? 'its server is not installed (RESTATE_SERVER can name it)'
      : undefined,
  canRun: () => true,
  canEnqueue: () => false,
  // Its calls return when their end is recorded.
  unfinished: () => 'false',
  open: openRestate,
};

async function openRestate({ configuration, shape }) {
  // Otherwise it writes two lines for each call.
  process.env.RESTATE_LOGGING ??= 'ERROR';
  const [sdk, clients] = [
    await import('@restatedev/restate-sdk'),
    await import('@restatedev/restate-sdk-clients'),
  ];
  const handled = new Handled();
  const server = await startRestate();
  const service = sdk.service({ name: 'bench', handlers: { run: bodyOf(shape) } });
  const port = await freePort();
  await sdk.endpoint().bind(service).listen(port);
  await server.register(`http://127.0.0.1:${port}`);
  const client = clients.connect({ url: server.ingress }).serviceClient({ name: 'bench' });
  const input = shape.payload === undefined ? {} : { payload: shape.payload };
  const call = async () => {
    await client.run(input);
    handled.add();
  };
  return {
    handled,
    start: (count) => withCallers(configuration.callers, count, call),
    timeOne: async () => {
      const began = performance.now();
      await call();
      const completed = performance.now() - began;
      return { completed, seen: completed };
    },
    close: () => server.stop(),
  };
}

/** A single task is the handler itself; more of them are steps, those with the same dependencies side by side. */
function bodyOf(shape) {
  const work = taskWork(shape);
  const asyncWork = async () => work();
  return async (context) => {
    if (shape.tasks.length === 1) {
      await work();
      return;
    }
    if (shape.kind === 'chain') {
      for (let no = 0; no < shape.tasks.length; no++) await context.run(`task-${no}`, asyncWork);
      return;
    }
    await context.run('task-0', asyncWork);
    await Promise.all(
      Array.from({ length: shape.width }, (_, no) => context.run(`task-${no + 1}`, asyncWork)),
    );
    await context.run('merge', asyncWork);
  };
}
