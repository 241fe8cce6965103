import type { DeclaredPoller } from '../../lib/discovery/poller-explorer.js';
import type { PollerContext, PollerOptions } from '../../lib/discovery/poller-types.js';
import type { RegisteredWorkflow } from '../../lib/discovery/registered-workflow.js';
import { workflowNameOf } from '../../lib/discovery/workflow-ref.js';
import { registerPoller } from '../../lib/runner/pollers/poller-workflow.js';

/** The workflow of a poller whose method is `call`, as the boot registers it. */
export function declaredPoller(
  options: PollerOptions,
  call: (context: PollerContext) => unknown,
): RegisteredWorkflow {
  const poller: DeclaredPoller = {
    ...options,
    workflowName: workflowNameOf(options.workflow),
    place: 'Test.poll() in TestModule',
    call,
  };
  const { registered, problems } = registerPoller(poller);
  if (registered === undefined) throw new Error(problems.join('\n'));
  return registered;
}
