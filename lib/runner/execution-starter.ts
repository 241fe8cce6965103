import type { WorkflowRef } from '../discovery/workflow-ref.js';
import type { RegisteredWorkflow, WorkflowRegistry } from '../discovery/registered-workflow.js';
import type { RunnableDefinition } from '../engine/definitions/runnable-definition.js';
import type { PreparedOptions } from '../engine/children/child-runner.js';
import type { Admission } from '../engine/queues/pending-bound.js';
import type { Started, StartRequest } from '../engine/starts/start-request.js';
import type { TenantEngine } from '../engine/tenant-engine.js';
import { checkCallOptions } from '../errors/call-options.js';
import { toStoredError } from '../errors/index.js';
import type { StartSpan } from '../events/telemetry.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import { checkBatch } from './batch-request.js';
import { checkDebounce } from './debounce-request.js';
import {
  checkManager,
  checkStartIn,
  makeStartRequest,
  START_OPTIONS,
  validateInput,
  type StartOptions,
} from './start-request.js';

export interface StarterParts {
  readonly engine: Pick<
    TenantEngine,
    'catalog' | 'clock' | 'open' | 'workflows' | 'settings' | 'starts' | 'telemetry'
  >;
  readonly registry: Pick<WorkflowRegistry, 'nameOf' | 'get'>;
  readonly whileUnavailable: AvailabilityRetry;
}

/** The reply to a start. */
export type StartReply = Pick<Started, 'id' | 'created' | 'hasWaiters'>;

/** Checks the arguments of `start`, and hands a request to the engine. */
export class ExecutionStarter {
  constructor(private readonly parts: StarterParts) {}

  /**
   * @param onRequest - given by a caller that waits for the end: told the request before it is sent. An earlier execution
   *   with the same key has another id
   */
  async start(
    workflow: WorkflowRef,
    context: object | undefined,
    options: StartOptions = {},
    onRequest?: (request: StartRequest) => void,
  ): Promise<StartReply> {
    checkCallOptions('start()', options, START_OPTIONS);
    const prepared = await this.prepare(workflow, context, options, onRequest !== undefined);
    const { engine } = this.parts;
    const manager = checkManager(options.manager);
    if (manager !== undefined) checkStartIn(prepared);
    const debounce = checkDebounce(options, prepared);
    const batch = checkBatch(options, prepared);
    const bound = this.boundOf(prepared);
    // Without a bound, the start is sent in the turn of its call.
    const admission = bound === undefined ? undefined : await bound;
    try {
      const span = this.spanOf(prepared);
      const request = span === undefined ? prepared : { ...prepared, traceContext: span.context };
      onRequest?.(request);
      const send = (): Promise<StartReply> =>
        debounce !== undefined
          ? engine.starts.startDebounced(request, debounce)
          : batch !== undefined
            ? engine.starts.startBatched(request, batch)
            : manager === undefined
              ? engine.starts.start(request)
              : engine.starts.startIn(manager, request);
      return await (span === undefined ? send() : follow(span, send));
    } finally {
      // Also of a start that throws at once, because the queue of this process is full.
      admission?.();
    }
  }

  /**
   * Checks the arguments. Nothing is stored.
   *
   * @param isAwaited - whether a caller of this process waits for the end
   */
  async prepare(
    workflow: WorkflowRef,
    context: object | undefined,
    options: PreparedOptions,
    isAwaited = false,
  ): Promise<StartRequest> {
    const { engine, registry } = this.parts;
    const name = registry.nameOf(workflow);
    const schema: RegisteredWorkflow['input'] = registry.get(name)?.input;
    // Not awaited without a schema: awaiting a context that has a key `then` would call it.
    const given = context ?? {};
    const input = schema === undefined ? given : await validateInput(schema, given);
    // Of a workflow of the running code it is in memory, and the start is sent in the turn of its call.
    const known = engine.catalog.isOpen ? engine.catalog.currentOf(name) : undefined;
    const definition = known ?? (await this.definitionOf(name));
    const { clock, settings } = engine;
    const { maxContextSize } = settings;
    return makeStartRequest(definition, input, options, { maxContextSize, clock, isAwaited });
  }

  /** The same for a start that is sent elsewhere. Its span ends with the check. */
  async prepareTraced(
    workflow: WorkflowRef,
    context: object | undefined,
    options: PreparedOptions,
  ): Promise<StartRequest> {
    const request = await this.prepare(workflow, context, options);
    const span = this.spanOf(request);
    span?.ended();
    return span === undefined ? request : { ...request, traceContext: span.context };
  }

  private spanOf({ id, definition }: StartRequest): StartSpan | undefined {
    const { telemetry, settings } = this.parts.engine;
    const workflow = definition.workflow.name;
    return telemetry?.start({ tenant: settings.tenant, workflow, executionId: id });
  }

  /**
   * Resolves when the start is admitted, with a function to call after it. Undefined if its workflow has no `maxPending`.
   *
   * @throws QueueFullError if too many executions of the workflow have not begun
   */
  boundOf({ definition }: StartRequest): Promise<Admission> | undefined {
    const { engine, registry, whileUnavailable } = this.parts;
    const { name } = definition.workflow;
    const max = registry.get(name)?.queue?.maxPending;
    if (max === undefined) return undefined;
    return whileUnavailable.run(() => engine.workflows.bound.admit(name, max));
  }

  /** The definition that a start uses. For a workflow that this process has no code for: the newest stored one. */
  async definitionOf(workflow: WorkflowRef): Promise<RunnableDefinition> {
    const { engine, registry, whileUnavailable } = this.parts;
    const name = registry.nameOf(workflow);
    if (!engine.catalog.isOpen) await whileUnavailable.run(() => engine.open());
    return (
      engine.catalog.currentOf(name) ??
      (await whileUnavailable.run(() => engine.catalog.toStart(name)))
    );
  }
}

async function follow(span: StartSpan, send: () => Promise<StartReply>): Promise<StartReply> {
  try {
    const reply = await send();
    span.ended({ executionId: reply.id, created: reply.created });
    return reply;
  } catch (error) {
    span.failed(toStoredError(error));
    throw error;
  }
}
