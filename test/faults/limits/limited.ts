import { setTimeout as delay } from 'node:timers/promises';
import { defineLimit } from '../../../lib/discovery/define-limit.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';

/** `STORM=million` has a million tasks in a few minutes, so more of them run at the same time. */
export const MILLION = process.env['STORM'] === 'million';
export const PER_KEY = MILLION ? 30 : 3;
export const TOTAL = MILLION ? 200 : 20;
export const KEYS = 12;
const calls = defineLimit('calls', { concurrency: PER_KEY, total: TOTAL });

/** A workflow whose tasks count for the limit `calls` of their key. */
export const limited = defineWorkflow<{ key: string; ms: number }>('limited')
  .task('call', { limit: { ...calls, key: 'key' } }, async (context) => {
    await delay(context.get('ms'));
  })
  .task('after', { dependsOn: ['call'], limit: { ...calls, key: 'key' } }, () => undefined)
  .build();
