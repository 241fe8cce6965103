import type { EventDefinition, SignalDefinition } from '../discovery/message-definitions.js';
import type { WorkflowRef } from '../discovery/workflow-ref.js';
import type { TenantEngine } from '../engine/tenant-engine.js';
import {
  InvalidArgumentError,
  InvalidTransitionError,
  UnknownExecutionError,
} from '../errors/index.js';
import { checkCallOptions } from '../errors/call-options.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import type { Message, SendReply, SignalTo, UserTransaction } from '../store/port/index.js';
import { checkActor } from './call-checks.js';
import type { ExecutionStarter } from './execution-starter.js';
import { isExecutionId } from './execution-uuid.js';
import {
  checkEvent,
  checkEventKey,
  checkEventSize,
  checkSignal,
  checkTarget,
  encodePayload,
  OR_START_OPTIONS,
  SEND_OPTIONS,
  SIGNAL_OPTIONS,
  type SendOptions,
  type SignalSendOptions,
  type SignalTarget,
} from './message-request.js';
import { newExecutionId } from './execution-id.js';
import { checkKey, checkManager } from './start-request.js';

export interface MessageCallsParts {
  readonly tenant: string;
  readonly engine: Pick<TenantEngine, 'messages' | 'settings' | 'clock' | 'store'>;
  readonly starter: Pick<ExecutionStarter, 'start'>;
  readonly whileUnavailable: AvailabilityRetry;
}

/** Checks the arguments of `signal` and `emit`, and hands messages to the engine. */
export class MessageCalls {
  constructor(private readonly parts: MessageCallsParts) {}

  /** Returns the id of the execution. */
  async signal(
    target: SignalTarget,
    definition: SignalDefinition,
    payload: unknown,
    options: SignalSendOptions = {},
  ): Promise<string> {
    checkCallOptions('signal()', options, SIGNAL_OPTIONS);
    const to = checkTarget(target);
    const { name } = checkSignal(definition);
    const { orStart, manager, idempotencyKey, actor } = options;
    if (orStart !== undefined) checkCallOptions('orStart', orStart, OR_START_OPTIONS);
    if (orStart !== undefined && 'id' in to) {
      throw new InvalidArgumentError(
        'orStart',
        'needs a target of { workflow, key }, because an id is only known of an execution that was started',
      );
    }
    if ('id' in to && !isExecutionId(to.id)) {
      throw new UnknownExecutionError(to.id, this.parts.tenant);
    }
    const json = await this.encode(definition, payload);
    const by = checkActor(actor);
    const message = { kind: 'signal', name, payload: json, to, actor: by } as const;
    const transaction = checkManager(manager);
    const key = checkKey(idempotencyKey);
    const reply = await this.send(message, key, transaction);
    if (reply.executionId === null && orStart !== undefined && 'key' in to) {
      const { workflow } = target as { readonly workflow: WorkflowRef };
      const start = { workflow, key: to.key, input: orStart.input };
      return this.storedFor(to, await this.sendWithStart(message, key, start, transaction));
    }
    return this.storedFor(to, reply);
  }

  async emit(
    definition: EventDefinition,
    eventKey: string,
    payload: unknown,
    options: SendOptions = {},
  ): Promise<void> {
    checkCallOptions('emit()', options, SEND_OPTIONS);
    const { name, keepForMs: own, keepForIsDefault } = checkEvent(definition);
    const { retention } = this.parts.engine.settings;
    const keepForMs = keepForIsDefault === true ? (retention?.eventsMs ?? own) : own;
    const key = checkEventKey(eventKey);
    const idempotencyKey = checkKey(options.idempotencyKey);
    checkEventSize(name, key, idempotencyKey);
    const json = await this.encode(definition, payload);
    const message = { kind: 'event', name, key, payload: json, keepForMs } as const;
    await this.send(message, idempotencyKey, checkManager(options.manager));
  }

  private encode(
    definition: SignalDefinition | EventDefinition,
    payload: unknown,
  ): Promise<string> {
    return encodePayload(definition, payload, this.parts.engine.settings.maxContextSize);
  }

  private send(
    message: WithoutKey<Message>,
    idempotencyKey: string | null,
    transaction: UserTransaction | undefined,
  ): Promise<SendReply> {
    const { messages } = this.parts.engine;
    if (transaction !== undefined)
      return messages.sendIn(transaction, { ...message, idempotencyKey });
    const key = idempotencyKey ?? this.ownKey();
    return messages.send({ ...message, idempotencyKey: key }, idempotencyKey !== null);
  }

  /** Starts the execution and stores the signal in one transaction, so there is never one without the other. */
  private async sendWithStart(
    message: WithoutKey<Message>,
    idempotencyKey: string | null,
    { workflow, key, input }: StartBySignal,
    transaction: UserTransaction | undefined,
  ): Promise<SendReply> {
    const { starter, engine, whileUnavailable } = this.parts;
    const keyed = { ...message, idempotencyKey: idempotencyKey ?? this.ownKey() };
    const sendIn = async (manager: UserTransaction): Promise<SendReply> => {
      // The store's transaction and that of a caller are the same type behind the port.
      await starter.start(workflow, input, { idempotencyKey: key, manager: manager as never });
      return engine.messages.sendIn(manager, keyed);
    };
    if (transaction !== undefined) return sendIn(transaction);
    const { signal } = new AbortController();
    return whileUnavailable.run(() =>
      engine.store.transaction((own) => own.within(() => sendIn(own.manager)), signal),
    );
  }

  /** A key that no other message has, so that a message that is sent again is stored once. */
  private ownKey(): string {
    return newExecutionId(this.parts.engine.clock);
  }

  /** @throws UnknownExecutionError, InvalidTransitionError if the signal was not stored */
  private storedFor(to: SignalTo, { stored, executionId, status }: SendReply): string {
    const { tenant } = this.parts;
    if (executionId === null) {
      if ('id' in to) throw new UnknownExecutionError(to.id, tenant);
      throw new UnknownExecutionError(to.key, tenant, to.workflow);
    }
    if (stored) return executionId;
    throw new InvalidTransitionError(
      executionId,
      status ?? '',
      'signal',
      'Only executions that have not ended take signals.',
    );
  }
}

type WithoutKey<M extends Message> = M extends Message ? Omit<M, 'idempotencyKey'> : never;

interface StartBySignal {
  readonly workflow: WorkflowRef;
  readonly key: string;
  readonly input: object | undefined;
}
