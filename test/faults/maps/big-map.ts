import { appendFileSync, existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';

/** Number of items that one statement stores. */
export const PART = 5_000;

export interface BigMap {
  /** A folder for files: the log of `items`, and the gates. */
  readonly folder: string;
  readonly items: number;
  readonly handlerMs: number;
}

/** A file whose presence lets the handler of the first item return, or `items` go on behind its first part. */
export function gateOf(folder: string, gate: 'first' | 'parts'): string {
  return path.join(folder, `gate-${gate}`);
}

/** A file with a line for each time that `items` began. */
export function beginsOf(folder: string): string {
  return path.join(folder, 'begins.log');
}

async function passed(gate: string): Promise<void> {
  while (!existsSync(gate)) await delay(20);
}

/** A map that stores its items in parts. Its first item ends when the test wants it. */
export function bigMap({ folder, items, handlerMs }: BigMap): WorkflowDefinition {
  return defineWorkflow('big')
    .map(
      'each',
      {
        maxItems: items,
        items: async function* (_, from) {
          appendFileSync(beginsOf(folder), 'begun\n');
          for (let n = from?.count ?? 0; n < items; n++) {
            if (n === PART) await passed(gateOf(folder, 'parts'));
            yield n;
          }
        },
      },
      async ({ item }) => {
        await (item === 0 ? passed(gateOf(folder, 'first')) : delay(handlerMs));
        return item;
      },
    )
    .task('join', { dependsOn: ['each'] }, async (context) => {
      let sum = 0;
      for await (const { value } of context.results<number>('each')) sum += value ?? 0;
      return { sum };
    })
    .build();
}
