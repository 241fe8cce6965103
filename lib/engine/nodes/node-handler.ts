import type { ItemContext } from '../../discovery/map-options.js';
import type { NodeInput } from '../../discovery/node-source.js';
import type { RegisteredWorkflow, TaskHandler } from '../../discovery/registered-workflow.js';
import type { JsonObject } from '../../discovery/context-types.js';
import type { TaskContext } from '../../discovery/task-context.js';
import {
  InvalidArgumentError,
  InvalidContextError,
  SignalTimeoutError,
} from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import {
  isInstant,
  type ChildNode,
  type CompiledTask,
  type MapNode,
  type SleepNode,
  type TaskNode,
  type WaitNode,
} from '../../workflow/index.js';
import { SKIPPED_BY_TIMEOUT } from './skipped-by-timeout.js';

/** The name of the only step of a sleep or a child. That of a wait is the name of its message. */
const STEP = { sleep: 'sleep', child: 'child' } as const;

/**
 * The handler of a task: of the running code, or built in for a node. A node needs nothing of the code but that its workflow
 * is served here, so a node runs even if a newer release has removed it. Only a child whose input a function of the code
 * makes needs that function.
 */
export function handlerOf(
  task: CompiledTask,
  registered: RegisteredWorkflow | undefined,
): TaskHandler | undefined {
  if (registered === undefined) return undefined;
  const { node, name } = task;
  if (node === undefined) return registered.handlers.get(name);
  const input = registered.inputs?.get(name);
  if (node.kind === 'map') return mapHandler(node, registered.handlers.get(name), input);
  if (node.kind === 'child' && node.mapsInput && input === undefined) return undefined;
  return { run: (context) => runNode(name, node, input, context) };
}

/** The handler of the items of a map, with the function that makes them. */
function mapHandler(
  node: MapNode,
  handler: TaskHandler | undefined,
  items: NodeInput | undefined,
): TaskHandler | undefined {
  if (items === undefined) return undefined;
  if (node.workflow === undefined) return handler && { ...handler, items };
  const { workflow } = node;
  return { run: (context) => runItemChild(node, workflow, context), items };
}

function runNode(
  name: string,
  node: Exclude<TaskNode, MapNode>,
  input: NodeInput | undefined,
  context: TaskContext,
): Promise<unknown> {
  switch (node.kind) {
    case 'wait':
      return runWait(name, node, context);
    case 'sleep':
      return runSleep(node, context);
    case 'child':
      return runChild(name, node, input, context);
  }
}

async function runWait(name: string, node: WaitNode, context: TaskContext): Promise<unknown> {
  const { timeoutMs, onTimeout = 'fail' } = node;
  // The wait tells by its promise whether it timed out: undefined is not a payload, because JSON lacks it.
  const limit = timeoutMs === undefined ? {} : { timeout: timeoutMs };
  const payload =
    node.signal === undefined
      ? await context.waitFor(
          // How long events are kept is decided where they are sent.
          { kind: 'event', name: node.event, keepForMs: 0 },
          {
            key: eventKey(name, node.key, context),
            ...(node.lookbackMs === undefined ? {} : { lookback: node.lookbackMs }),
            ...limit,
          },
        )
      : await context.waitFor({ kind: 'signal', name: node.signal }, limit);
  if (payload !== undefined) return { [name]: payload };
  if (timeoutMs === undefined || onTimeout === 'complete') return undefined;
  if (onTimeout === 'skip') return SKIPPED_BY_TIMEOUT;
  const awaited =
    node.signal === undefined
      ? { kind: 'event' as const, name: node.event }
      : { kind: 'signal' as const, name: node.signal };
  throw new SignalTimeoutError(name, awaited, timeoutMs);
}

/** The key of an event, which may be a number in the context. */
function eventKey(name: string, key: string, context: TaskContext): string {
  const value = context.require(key);
  if (typeof value === 'string' && value.length > 0 && value.length <= 200) return value;
  if (typeof value === 'number') return String(value);
  throw new InvalidContextError(
    key,
    key,
    `is the key of the event that ${JSON.stringify(name)} waits for, so it must be a string of 1 to 200 characters or a number`,
  );
}

async function runSleep(node: SleepNode, context: TaskContext): Promise<void> {
  if (node.until === undefined) return context.sleep(STEP.sleep, node.forMs);
  const value = context.require(node.until);
  const until = new Date(typeof value === 'string' || typeof value === 'number' ? value : NaN);
  if (isInstant(until)) return context.sleep(STEP.sleep, { until });
  throw new InvalidContextError(
    node.until,
    node.until,
    `is the time until which ${JSON.stringify(context.taskName)} sleeps, so it must be an ISO 8601 string or milliseconds since 1970, of the years 1 to 9999`,
  );
}

async function runChild(
  name: string,
  node: ChildNode,
  input: NodeInput | undefined,
  context: TaskContext,
): Promise<JsonObject> {
  const given = node.mapsInput && input !== undefined ? await input(context) : context.data;
  const result = await context.execute(node.workflow, given as JsonObject, {
    name: STEP.child,
    onParentEnd: node.onParentEnd,
  });
  return { [name]: node.output === undefined ? result : result[node.output] };
}

/** An item of a map of children: it is the input of its child. */
async function runItemChild(
  { output, onParentEnd }: MapNode,
  workflow: string,
  context: TaskContext,
): Promise<unknown> {
  const { item } = context as TaskContext & ItemContext;
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw new InvalidArgumentError(
      'items',
      `must be objects, because each is the input of an execution of ${JSON.stringify(workflow)}; one is ${formatValue(item)}`,
    );
  }
  const result: JsonObject = await context.execute(workflow, item as JsonObject, {
    name: STEP.child,
    ...(onParentEnd === undefined ? {} : { onParentEnd }),
  });
  return output === undefined ? result : result[output];
}
