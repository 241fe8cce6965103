import { describeDefinition } from '../../discovery/build-registration.js';
import { defineWorkflow } from '../../discovery/define-workflow.js';
import type { DeclaredPoller } from '../../discovery/poller-explorer.js';
import type { RegisteredWorkflow } from '../../discovery/registered-workflow.js';
import { BuiltWorkflow } from '../../discovery/workflow-builder.js';
import { POLLER_LIMIT, pollerWorkflowName } from '../../workflow/index.js';

/** A failing poller is tried again for some eight minutes. Then its execution Fails, and the schedule begins the next. */
const RETRY = { maxAttempts: 10, maxDelay: '5m' } as const;

/** The input of a poll. The limit has `poller` as its key. */
export interface PollInput {
  readonly poller: string;
  /** The workflow that the poller starts, for people. */
  readonly workflow: string;
}

/** The workflow of a poller, or what is wrong with its options. */
export interface PollerRegistration {
  readonly registered?: RegisteredWorkflow;
  readonly problems: readonly string[];
}

/**
 * The workflow of a poller: one transactional task, started by a schedule. The schedule skips a poll while the one before
 * has not ended; the limit makes one wait that `runNow` starts beside it.
 */
export function registerPoller(poller: DeclaredPoller): PollerRegistration {
  const { name, every, workflowName, tenants, timeout, retry } = poller;
  const workflow = pollerWorkflowName(name);
  const input: PollInput = { poller: name, workflow: workflowName };
  const definition = defineWorkflow(workflow, {
    description: `Polls for executions of ${workflowName}.`,
    schedule: {
      name,
      every,
      overlap: 'skip',
      input: { ...input },
      ...(tenants === undefined ? {} : { tenants }),
    },
  })
    .task(
      'poll',
      {
        transactional: true,
        limit: { name: POLLER_LIMIT, key: 'poller', concurrency: 1 },
        // What is not an object is refused with the other options.
        retry:
          typeof retry === 'object' && retry !== null ? { ...RETRY, ...retry } : (retry ?? RETRY),
        ...(timeout === undefined ? {} : { timeout }),
      },
      (context) => context.runner.pollers.poll(poller, context),
    )
    .build();
  if (!(definition instanceof BuiltWorkflow)) return { problems: [] };
  const { registered, problems } = describeDefinition({ definition, module: poller.place });
  if (registered !== undefined)
    return { registered: { ...registered, polledFor: workflowName }, problems };
  // The workflow and its task are not the application's.
  const owner = `Workflow ${JSON.stringify(workflow)}`;
  const own = (): string => `@Poller of ${poller.place}`;
  return {
    problems: problems.map((one) => one.replace(`${owner}, task "poll"`, own).replace(owner, own)),
  };
}
