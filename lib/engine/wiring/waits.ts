import { EventExpiry } from '../messages/event-expiry.js';
import { EventStarter } from '../messages/event-starter.js';
import { LostSubscriptions } from '../messages/lost-subscriptions.js';
import { MessageDelivery } from '../messages/message-delivery.js';
import { MessageSender } from '../messages/message-sender.js';
import { MessageTaker } from '../messages/message-taker.js';
import { TokenIssuer } from '../messages/token-issuer.js';
import { StepServices } from '../waits/step-services.js';
import type { AdoptionRoom } from './adoption.js';
import type { DefinitionsRoom } from './definitions.js';
import type { RegisteredWorkflow } from '../../discovery/registered-workflow.js';
import type { EngineCore } from './core.js';
import type { OutcomesRoom } from './outcomes.js';
import type { StartsRoom } from './starts.js';

export type WaitsRoom = ReturnType<typeof wireWaits>;

/** Steps and waits of tasks, the messages that they wait for, and the executions that events start. */
export function wireWaits(
  core: EngineCore,
  { waker }: AdoptionRoom,
  { refused }: OutcomesRoom,
  { starts }: StartsRoom,
  { restore }: DefinitionsRoom,
) {
  const { given, settings, store, services, clock, tenant, address, events, queue } = core;
  const steps = new StepServices({
    clock,
    store,
    maxSteps: settings.maxSteps,
    maxStepsSize: settings.maxStepsSize,
    maxResultSize: settings.maxContextSize,
    stored: (id) => events.changed?.(id),
    refused,
  });
  const eventStarter = new EventStarter({
    clock,
    tenant,
    store,
    workflows: () => given.registry.list().filter(given.serves),
    prepare: (workflow, input, options) => given.runner().prepareStart(workflow, input, options),
    start: (request) => starts.start(request),
    notify: () => services.notifyMessages(address),
    dueIn: (inMs) => services.schedule({ kind: 'eventStart', tenant: address, inMs }),
  });
  const workflows = (): RegisteredWorkflow[] => given.registry.list().filter(given.serves);
  const toStart = (names: readonly string[]): void => eventStarter.stored(names);
  const subscriptions = new LostSubscriptions({
    clock,
    tenant,
    store,
    workflows,
    restore: () => restore.look(),
    toStart,
  });
  const delivery = new MessageDelivery({
    clock,
    tenant,
    store,
    waker,
    hasRoom: () => queue.limit === 0 || queue.wantsMore,
    toStart,
    missed: (eventIds) => subscriptions.missed(eventIds),
  });
  const messages = new MessageSender({
    clock,
    tenant,
    store,
    timeoutMs: settings.startTimeoutMs,
    notification: services.messagePayload(address),
    waker,
    queuedBytes: services.queuedBytes,
    delivery,
    startedBy: (event) => subscriptions.declaredFor(event),
  });
  return {
    steps,
    delivery,
    eventStarter,
    messages,
    taker: new MessageTaker({ clock, store, steps, refused }),
    tokens: new TokenIssuer(tenant, clock, settings.signalSecrets),
    expiry: new EventExpiry(tenant, store),
  };
}
