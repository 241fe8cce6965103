import pg from 'pg';
import {
  ConfigurationError,
  DatabaseUnavailableError,
  listNames,
  messageWithoutSecrets,
} from '../../errors/index.js';
import { optionsAt, serversOf, type ResolvedTenantOptions } from '../../options/index.js';
import type { Clock } from '../../runtime/clock.js';
import { MicroBatcher } from '../../runtime/micro-batcher.js';
import { untraced } from '../../runtime/untraced.js';
import { failureKind } from '../../store/postgres/classify-failure.js';
import { connectionConfig, placeOf } from '../../store/postgres/connections/connection-config.js';
import { OWN_TYPES } from '../../store/postgres/connections/own-types.js';
import { makeLive, readTenantRow } from './move-state.js';
import { findPlaces, type SchemaPlace } from './schema-places.js';

const CONNECT_TIMEOUT_MS = 5_000;

interface Look {
  readonly options: ResolvedTenantOptions;
}

/**
 * Finds the server on which a tenant lives, from the server that the code or the process takes for it. It follows a schema that
 * has moved away. It looks on all servers for a schema that is missing, because the source of an ended move may be dropped: an
 * empty tenant beside the real one must not be made. So a new schema needs an answer of every server.
 */
export class TenantLocator {
  private readonly looks = new Map<string, MicroBatcher<Look, SchemaPlace>>();

  constructor(private readonly clock: Pick<Clock, 'immediate'>) {}

  /**
   * The tenant's options on the server on which it lives: `options` themselves if it lives there, or on no server.
   *
   * @throws DatabaseUnavailableError if a server that has to be looked at can't be reached
   * @throws ConfigurationError if the tenant has moved to a server that forRoot does not name
   */
  async locate(options: ResolvedTenantOptions): Promise<ResolvedTenantOptions> {
    const servers = serversOf(options);
    if (options.server === undefined || servers.length < 2) return options;
    const { tenant, schema } = options;
    const passed = new Set<string>();
    let lacking: string | undefined;
    let at = options;
    for (;;) {
      const { server = '' } = at;
      if (passed.has(server)) {
        if (server === lacking) throw lostOn(options, server, [...passed]);
        throw new ConfigurationError([
          `Tenant "${tenant}": none of the servers ${listNames([...passed])} has schema "${schema}" whole. Run "nestjs-cloacina doctor".`,
        ]);
      }
      passed.add(server);
      const { isTenant, refusal } = await (at === options ? this.look(at) : this.lookAt(at));
      if (!isTenant) {
        const there = await this.elsewhere(options, passed);
        // A schema that a server says has moved is not a new one, so it is not created where it should be.
        if (there === undefined) {
          if (passed.size > 1) throw lostOn(options, server, [...passed]);
          return options;
        }
        lacking = server;
        at = there;
        continue;
      }
      if (refusal === undefined || refusal.state === 'stopping') return at;
      const peer = optionsAt(options, refusal.peer);
      if (peer === undefined) throw unknownServer(options, refusal.peer);
      if (refusal.state === 'arriving' && (await this.arrived(at, peer))) return at;
      at = peer;
    }
  }

  /** A server that has a schema that is missing where it should be: one where it lives, else one that has given it away. */
  private async elsewhere(
    options: ResolvedTenantOptions,
    passed: ReadonlySet<string>,
  ): Promise<ResolvedTenantOptions | undefined> {
    const others = serversOf(options).filter((server) => !passed.has(server));
    const found = await Promise.all(
      others.map(async (server) => {
        const there = optionsAt(options, server);
        if (there === undefined) return [];
        const { isTenant, refusal } = await this.lookAt(there);
        return isTenant && refusal?.state !== 'arriving' ? [{ there, refusal }] : [];
      }),
    );
    const places = found.flat();
    return (places.find(({ refusal }) => refusal?.state !== 'moved') ?? places[0])?.there;
  }

  /** Makes a copy live whose source has moved. False if the source is still the tenant. */
  private async arrived(
    at: ResolvedTenantOptions,
    source: ResolvedTenantOptions,
  ): Promise<boolean> {
    const { schema } = at;
    const row = await mustAnswer(
      at,
      this.on(at, (client) => readTenantRow(client, schema)),
    );
    if (row?.state !== 'arriving') return row?.state === 'live';
    const from = await mustAnswer(
      source,
      this.on(source, (client) => readTenantRow(client, schema)),
    );
    if (from?.state !== 'moved' || from.moveId !== row.moveId) return false;
    const move = { schema, moveId: row.moveId ?? '', peer: row.peer ?? '' };
    return this.on(at, (client) => makeLive(client, move));
  }

  /** Looks on another server than the one that the caller waits for. */
  private lookAt(options: ResolvedTenantOptions): Promise<SchemaPlace> {
    return mustAnswer(options, this.look(options));
  }

  /** Tenants that are looked for at the same time share a connection and a statement. */
  private look(options: ResolvedTenantOptions): Promise<SchemaPlace> {
    const { server = '' } = options;
    let batcher = this.looks.get(server);
    if (batcher === undefined) {
      batcher = new MicroBatcher<Look, SchemaPlace>(
        { clock: this.clock, oneAtATime: true },
        async (batch) => {
          const [first] = batch;
          if (first === undefined) return;
          const schemas = batch.map(({ item }) => item.options.schema);
          const places = await this.on(first.item.options, (client) => findPlaces(client, schemas));
          for (const [i, { resolve }] of batch.entries()) resolve(places[i] as SchemaPlace);
        },
      );
      this.looks.set(server, batcher);
    }
    return batcher.add({ options });
  }

  /** Runs `work` on a connection of its own: looks are rare, and most servers of a tenant are not its own. */
  private on<T>(
    options: ResolvedTenantOptions,
    work: (client: pg.Client) => Promise<T>,
  ): Promise<T> {
    return untraced(async () => {
      const client = new pg.Client({
        ...connectionConfig(options),
        types: OWN_TYPES,
        application_name: 'cloacina-locator',
        connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      });
      client.on('error', () => undefined);
      try {
        await client.connect();
        return await work(client);
      } finally {
        await client.end().catch(() => undefined);
      }
    });
  }
}

/** Names the server that has to answer, if it does not: the caller knows of the tenant's own server only. */
async function mustAnswer<T>(options: ResolvedTenantOptions, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (failureKind(error) !== 'connection') throw error;
    const { server, tenant } = options;
    const place = { ...placeOf(connectionConfig(options)), server };
    const cause = new Error(
      `server "${server ?? ''}", which may have the tenant, did not answer: ${messageWithoutSecrets(error)}`,
    );
    throw new DatabaseUnavailableError({ tenant, waitedMs: 0, place }, { cause });
  }
}

/** The error of a tenant that has moved to a server that forRoot does not name. */
export function unknownServer(options: ResolvedTenantOptions, peer: string): ConfigurationError {
  const { tenant, schema, server } = options;
  const from = server === undefined ? '' : ` from server "${server}"`;
  return new ConfigurationError([
    `Tenant "${tenant}": its schema "${schema}" has moved${from} to server "${peer}", which is not one of the servers of this ` +
      'process. Add it to the option servers of CloacinaModule.forRoot().',
  ]);
}

/** The error of a tenant that was given to a server that does not have it. */
function lostOn(
  { tenant, schema }: ResolvedTenantOptions,
  server: string,
  passed: readonly string[],
): ConfigurationError {
  const others = listNames(passed.filter((name) => name !== server));
  return new ConfigurationError([
    `Tenant "${tenant}": its schema "${schema}" has moved to server "${server}", which does not have it. Restore it there from a ` +
      `backup. What is left of it on ${others} has all data up to the move; drop it only for a new, empty tenant.`,
  ]);
}
