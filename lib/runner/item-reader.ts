import type { ItemResult, ResultsOptions } from '../discovery/map-options.js';
import type { DefinitionCatalog } from '../engine/definitions/definition-catalog.js';
import {
  checkResultsOptions,
  itemResults,
  type ReadResults,
} from '../engine/items/item-results.js';
import { UnknownExecutionError } from '../errors/index.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import type { ExecutionStore, ItemStore } from '../store/port/index.js';
import { isExecutionId } from './execution-uuid.js';

export interface ItemReaderParts {
  readonly tenant: string;
  readonly store: Pick<ExecutionStore, 'executions'> & { readonly items: ItemStore };
  readonly catalog: Pick<DefinitionCatalog, 'find'>;
  readonly whileUnavailable: AvailabilityRetry;
  /** Rejects with a TenantRemovedError when this process no longer serves the tenant. */
  readonly whileServed: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Reads the items of maps for callers outside of tasks. */
export class ItemReader {
  private readonly read: ReadResults;

  constructor(private readonly parts: ItemReaderParts) {
    const { store, whileServed, whileUnavailable } = parts;
    this.read = itemResults(store, {
      run: (work) => whileServed(() => whileUnavailable.run(work)),
    });
  }

  results(
    id: string,
    mapTask: string,
    options: ResultsOptions = {},
  ): AsyncIterable<ItemResult<never>> {
    if (!isExecutionId(id)) throw new UnknownExecutionError(id, this.parts.tenant);
    checkResultsOptions(options);
    return this.pages(id, mapTask, options);
  }

  private async *pages(
    id: string,
    mapTask: string,
    options: ResultsOptions,
  ): AsyncGenerator<ItemResult<never>, void, undefined> {
    const { tenant, store, catalog, whileServed, whileUnavailable } = this.parts;
    const workflow = await whileServed(() =>
      whileUnavailable.run(async () => {
        const [row] = await store.executions([id]);
        return row && (await catalog.find(row.definitionId)).workflow;
      }),
    );
    if (workflow === undefined) throw new UnknownExecutionError(id, tenant);
    yield* this.read(id, workflow, mapTask, options);
  }
}
