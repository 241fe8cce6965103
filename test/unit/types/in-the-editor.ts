import type ts from 'typescript';

/** A file that exists in the editor only; `|` is where completions are asked for. */
const MARKED = `
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { Task } from '../../lib/discovery/task.decorator.js';
import type { TaskContext } from '../../lib/discovery/task-context.js';
import { contextValue, taskFailed } from '../../lib/workflow/trigger-rule.js';

type Context = TaskContext<{ orderId: number; state?: 'new' | 'paid' }>;
class Orders {
  helper = 1;
  @Task() charge(context: Context) {}
  @Task() reserve(context: Context) {}
  @Task({ dependsOn: ['|'] }) dependency() {}
  @Task({ dependsOn: ['charge', '|'] }) secondDependency() {}
  @Task({ dependsOn: ['charge'], when: taskFailed('|') }) failed() {}
  @Task({ dependsOn: ['charge'], when: contextValue('|', 'exists') }) key() {}
}

const builder = defineWorkflow('orders')
  .task('price', () => ({ total: 1, currency: 'EUR' }))
  .task('reserve', () => ({ shelf: 'A1' }));
builder.task('x', { dependsOn: ['|'] }, () => {});
builder.task('x', { dependsOn: ['price'], when: taskFailed('|') }, () => {});
builder.task('x', { dependsOn: ['price'] }, (context) => void context.get('|'));
builder.task('x', { dependsOn: ['reserve'] }, (context) => void context.data.|);

const typed = defineWorkflow<{ state?: 'new' | 'paid' }>('typed')
  .task('x', () => ({ state: '|' }))
  .task('y', () => ({ y: 1 }));
typed.task('z', { dependsOn: ['y'], when: contextValue('|', 'exists') }, () => {});
`;

const PARTS = MARKED.split(/\|(?=[')])/);

export const IN_THE_EDITOR = PARTS.join('');

/** What the editor suggests at each of the places. */
export function completionsIn(file: string, compiler: ts.LanguageService): string[][] {
  let position = 0;
  return PARTS.slice(0, -1).map((part) => {
    position += part.length;
    const found = compiler.getCompletionsAtPosition(file, position, {});
    // The text that is being typed is a suggestion too.
    return (found?.entries ?? []).map(({ name }) => name).filter((name) => name !== '');
  });
}
