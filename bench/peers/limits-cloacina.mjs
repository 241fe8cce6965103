import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { loadBuilt } from '../measure/built-library.mjs';
import { withCallers } from '../measure/callers.mjs';
import { Handled } from '../measure/handled.mjs';
import { SlotAudit } from '../measure/slot-audit.mjs';
import { taskWork } from '../measure/shape.mjs';

const { CloacinaModule, defineWorkflow, getRunnerToken } = await loadBuilt();
const SCHEMA = 'bench';
const LIMIT = 'bench';

/** The library with limits. `perKey` and `rate` come with the shape. */
export const limitsCloacina = {
  name: 'nestjs-cloacina',
  configurations: {
    none: { about: 'no limit', limitOf: () => ({}) },
    turns: { about: 'fairKey', limitOf: () => ({ fairKey: 'key' }) },
    limit: {
      about: 'limit with a concurrency per key',
      limitOf: ({ perKey }) => ({ limit: { name: LIMIT, key: 'key', concurrency: perKey } }),
    },
    rate: {
      about: 'limit with a rate per key',
      limitOf: ({ rate }) => ({ limit: { name: LIMIT, key: 'key', rate } }),
    },
  },
  unfinished: () =>
    `EXISTS (SELECT FROM ${SCHEMA}.cloacina_workflow_execution WHERE status IN ('Pending', 'Running'))`,
  open: openLimits,
};

async function openLimits({ url, configuration, shape, claims = true }) {
  const handled = new Handled();
  const audit = new SlotAudit();
  const work = taskWork(shape);
  const workflow = defineWorkflow('bench')
    .task('work', configuration.limitOf(shape), async (context) => {
      await audit.run(context.get('key'), work);
      handled.add();
    })
    .build();
  class BenchModule {
    workflow = workflow;
  }
  const maxConcurrentTasks = claims ? shape.slots : 0;
  Module({
    imports: [
      CloacinaModule.forRoot({ databaseUrl: url, maxConcurrentTasks }),
      CloacinaModule.forTenant({ schema: SCHEMA, maxConcurrentTasks }),
    ],
    providers: [{ provide: 'bench', useValue: workflow }],
  })(BenchModule);
  const app = await NestFactory.createApplicationContext(BenchModule, { logger: ['error'] });
  const runner = app.get(getRunnerToken(SCHEMA));
  return {
    handled,
    takeRuns: () => audit.take(),
    /** Starts executions, the keys in turn. */
    startKeyed: (count, keys, prefix = 'key') =>
      runner.startMany('bench', keyed(count, keys, prefix)).then(() => {}),
    setLimit: (settings) => runner.limits.set(LIMIT, settings),
    /** Milliseconds from the call of execute() to the result, of one key after the other. */
    timeExecutes: async (count, keys, prefix) => {
      const times = [];
      for (let n = 0; n < count; n++) {
        const began = performance.now();
        await runner.execute('bench', { key: `${prefix}-${n % keys}` });
        times.push(performance.now() - began);
      }
      return times;
    },
    /** The same by several callers at a time. */
    timeExecutesOf: async (callers, count, keys, prefix) => {
      const times = [];
      let n = 0;
      await withCallers(callers, count, async () => {
        const key = `${prefix}-${n++ % keys}`;
        const began = performance.now();
        await runner.execute('bench', { key });
        times.push(performance.now() - began);
      });
      return times;
    },
    close: () => app.close(),
  };
}

function* keyed(count, keys, prefix) {
  for (let n = 0; n < count; n++) yield { key: `${prefix}-${n % keys}` };
}
