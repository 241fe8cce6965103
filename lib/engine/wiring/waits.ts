import { EventExpiry } from '../messages/event-expiry.js';
import { MessageDelivery } from '../messages/message-delivery.js';
import { MessageSender } from '../messages/message-sender.js';
import { MessageTaker } from '../messages/message-taker.js';
import { TokenIssuer } from '../messages/token-issuer.js';
import { StepServices } from '../waits/step-services.js';
import type { EngineCore } from './core.js';
import type { OutcomesRoom } from './outcomes.js';

export type WaitsRoom = ReturnType<typeof wireWaits>;

/** Steps and waits of tasks, and the messages that they wait for. */
export function wireWaits(core: EngineCore, { refused }: OutcomesRoom) {
  const { settings, store, services, clock, tenant, address, events, later } = core;
  const steps = new StepServices({
    clock,
    store,
    maxSteps: settings.maxSteps,
    maxResultSize: settings.maxContextSize,
    stored: (id) => events.changed?.(id),
    refused,
  });
  const woken = (): void => later.wakeUps.dueIn(0);
  const delivery = new MessageDelivery({ clock, tenant, store, woken });
  const messages = new MessageSender({
    clock,
    tenant,
    store,
    timeoutMs: settings.startTimeoutMs,
    notification: services.messagePayload(address),
    delivery,
  });
  return {
    steps,
    delivery,
    messages,
    taker: new MessageTaker({ clock, store, steps, refused }),
    tokens: new TokenIssuer(tenant, clock, settings.signalSecrets),
    expiry: new EventExpiry(store),
  };
}
