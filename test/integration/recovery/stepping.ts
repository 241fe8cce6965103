import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';

/** Where a process is killed: in a step, in the transaction of one, or between steps. */
export type Point = 'step' | 'transaction' | 'between';

/** A task of many steps, plain and transactional in turn. `pass` is called at each point. */
export function stepping(
  steps: number,
  note: (step: number) => void,
  pass: (point: Point, step: number) => void,
): WorkflowDefinition {
  return defineWorkflow('stepping')
    .task('only', {}, async (context) => {
      for (let key = 1; key <= steps; key++) {
        await context.step('plain', { key }, () => {
          note(key);
          pass('step', key);
          return key;
        });
        await context.step('insert', { key, transactional: true }, async (manager) => {
          await manager.query('INSERT INTO effect VALUES ($1)', [key]);
          pass('transaction', key);
        });
        pass('between', key);
      }
      return { steps };
    })
    .build();
}
