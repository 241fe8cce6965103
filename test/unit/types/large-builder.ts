/** A graph whose tasks depend on up to four earlier ones, read a key of one, and add three keys each. */
export function largeBuilder(tasks: number): string {
  const lines = Array.from({ length: tasks }, (_, i) => {
    const dependencies = [i - 1, i - 2, i - 5, i - 6].filter((no) => no >= 0);
    const names = dependencies.map((no) => `'t${no}'`).join(', ');
    const when = i % 7 === 6 ? `, when: any(taskFailed('t${i - 1}'), always())` : '';
    const read = i === 0 ? 'context.attempt' : `context.get('k${i - 1}')`;
    return (
      `.task('t${i}', { dependsOn: [${names}]${when} }, async (context) => ({` +
      ` k${i}: ${i}, o${i}: { at: new Date(), read: ${read} }, shared: ${i} }))`
    );
  });
  return `
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { always, any, taskFailed } from '../../lib/workflow/trigger-rule.js';
void [always, any, taskFailed];
export const workflow = defineWorkflow<{ orderId: number }>('large')${lines.join('\n')}.build();
`;
}
