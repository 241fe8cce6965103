import { AvailabilityRetry } from '../../runtime/availability-retry.js';
import { ItemCanceller } from '../map/item-canceller.js';
import { ItemReader } from '../items/item-reader.js';
import { itemResults } from '../items/item-results.js';
import { MapRunner } from '../map/map-runner.js';
import { batchReader } from '../starts/batch-reader.js';
import type { CompletionRoom } from './completion.js';
import type { EngineCore } from './core.js';
import type { OutcomesRoom } from './outcomes.js';

export type MapsRoom = ReturnType<typeof wireMaps>;

/** Maps: their items are stored, read for their claims, cancelled after failures, and joined. And the inputs of batches. */
export function wireMaps(
  core: EngineCore,
  {
    completion,
    outcomes,
  }: { readonly completion: CompletionRoom; readonly outcomes: OutcomesRoom },
) {
  const { settings, store, services, clock, tenant, address, claims, whileHeld, later } = core;
  const { maxContextSize, startTimeoutMs } = settings;
  const whileUnavailable = new AvailabilityRetry(tenant, store, startTimeoutMs, clock);
  const leftReady = (count: number): void => later.wakeUps.leftHere(count);
  return {
    items: new ItemReader(store, clock),
    itemCanceller: new ItemCanceller({
      clock,
      address,
      store,
      whileUnavailable: whileHeld,
      claims,
      services,
      endChildren: (map) => completion.settler.endItemChildren(map),
      giveBack: (claim, delayMs) => outcomes.completer.giveBack(claim, delayMs),
      leftReady: () => leftReady(1),
    }),
    maps: new MapRunner({
      store,
      whileUnavailable,
      maxContextSize,
      leftReady,
      fillInput: (claim) => completion.inputs.fill(claim),
      limitedReady: (limitKeys) => later.limited.ready(limitKeys),
    }),
    results: itemResults(store, whileHeld),
    batch: batchReader(store, whileHeld),
  };
}
