import { Logger } from '@nestjs/common';
import type { FireReply, NewFiring, ScheduleFire } from '../../store/port/index.js';
import type { StartConsequences } from '../starts/starter.js';
import type { StartRequest } from '../starts/start-request.js';

export interface StartedFiringsParts {
  readonly tenant: string;
  readonly consequences: Pick<
    StartConsequences,
    'created' | 'definitionsMissing' | 'leftReady' | 'waits'
  >;
  /** Called when there are new records of firings. */
  readonly recorded: () => void;
}

/** What follows from firings that are stored: their executions begin, and schedules that stop are reported. */
export class StartedFirings {
  private readonly logger = new Logger('Cloacina');

  constructor(private readonly parts: StartedFiringsParts) {}

  /** @param requests - by the ids of their executions */
  follow(
    fires: readonly ScheduleFire[],
    reply: FireReply,
    requests: ReadonlyMap<string, StartRequest>,
  ): void {
    const stored = fires.filter((_, i) => reply.fired[i] === true);
    const firings = stored.flatMap((fire) => fire.firings);
    if (firings.length > 0) this.parts.recorded();
    this.stored(firings, reply, requests);
    for (const fire of stored)
      if (fire.state === 'broken' || fire.state === 'paused') this.report(fire);
  }

  /** Call when these firings are stored, with their executions. */
  stored(
    firings: readonly NewFiring[],
    { definitionsAreStored }: Pick<FireReply, 'definitionsAreStored'>,
    requests: ReadonlyMap<string, StartRequest>,
  ): void {
    if (!definitionsAreStored) this.parts.consequences.definitionsMissing();
    for (const { start } of firings) {
      const request = start === null ? undefined : requests.get(start.id);
      if (request !== undefined) this.begun(request);
    }
  }

  /** Call when this execution of a firing is stored. Firings claim no root tasks. */
  begun(request: StartRequest): void {
    const { consequences } = this.parts;
    consequences.created(request);
    if (request.admission !== null) consequences.waits(request);
    else consequences.leftReady(request, request.definition.workflow.roots.length);
  }

  private report({ name, state, reason }: ScheduleFire): void {
    this.logger.warn(
      `Tenant "${this.parts.tenant}": schedule "${name}" is ${state}: ${reason ?? ''}`,
    );
  }
}
