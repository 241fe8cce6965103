import type { CloacinaServerOptions } from '../cloacina.options.js';
import { CloacinaError, messageWithoutSecrets } from '../errors/index.js';
import type { ConnectionSource } from '../store/postgres/connections/connection-config.js';
import { serverSources } from '../tenants/admin/server-sources.js';
import type { ListedMove, ListedTenant } from '../tenants/admin/admin-options.js';
import { CloacinaAdmin } from '../tenants/admin/cloacina-admin.js';
import { unfinishedMove } from './checks/unfinished-move.js';
import type {
  DoctorFinding,
  ExaminedServer,
  ServersDoctorOptions,
  ServersDoctorReport,
} from './doctor-types.js';
import { chosenChecks, runDoctor } from './run-doctor.js';

/**
 * Examines several servers and all tenants on them, as {@link runDoctor} does one. It examines one server after another. A server
 * that can't be reached is a finding, and the others are examined all the same.
 *
 * @param servers - as the option `servers` of forRoot
 * @throws ConfigurationError for invalid servers; InvalidArgumentError for an unknown check
 * @example
 * ```ts
 * const { servers, findings } = await runDoctorOnServers({ eu: { databaseUrl: euUrl }, us: { databaseUrl: usUrl } });
 * const all = [...findings, ...servers.flatMap((one) => ('findings' in one ? one.findings : []))];
 * for (const { server, title, advice } of all) console.warn(`${server ?? 'all servers'}: ${title}. ${advice}`);
 * ```
 */
export async function runDoctorOnServers(
  servers: Readonly<Record<string, CloacinaServerOptions>>,
  options: ServersDoctorOptions = {},
): Promise<ServersDoctorReport> {
  const sources = serverSources(servers, 'runDoctorOnServers()');
  chosenChecks(options);
  const examined: ExaminedServer[] = [];
  for (const [server, source] of sources) {
    examined.push(await examineServer(server, source, options));
  }
  const shared = onSeveral(examined);
  const moves = shared.size === 0 ? NO_MOVES : await movesOf(servers);
  return {
    servers: examined.map((one) => withoutRunningMoves(one, moves)),
    findings: [...awayServers(examined), ...duplicateSchemas(shared, moves)],
  };
}

/** Finds the move of a schema on a server. */
type Moves = (schema: string, server: string) => ListedMove | undefined;

const NO_MOVES: Moves = () => undefined;

/** The moves of tenants. Both of their servers have the schema, so they matter only if some schema is on several servers. */
async function movesOf(servers: Readonly<Record<string, CloacinaServerOptions>>): Promise<Moves> {
  const tenants = await new CloacinaAdmin({ servers })
    .listTenants({ onAway: () => undefined })
    // A server that is lost only now leaves the findings as they are.
    .catch((): ListedTenant[] => []);
  return (schema, server) =>
    tenants.find((each) => each.schema === schema && each.server === server)?.move;
}

/** An incomplete copy is no fault while a process carries its move out, which only the source knows. */
function withoutRunningMoves(one: ExaminedServer, moves: Moves): ExaminedServer {
  if ('error' in one) return one;
  const arrives = (schema: string): boolean => {
    const move = moves(schema, one.server);
    return move?.state === 'arriving' && move.isInterrupted === false;
  };
  const findings = one.findings.filter(
    ({ check, schema = '' }) => check !== unfinishedMove.id || !arrives(schema),
  );
  return { ...one, findings };
}

async function examineServer(
  server: string,
  source: ConnectionSource,
  { onProgress, ...chosen }: ServersDoctorOptions,
): Promise<ExaminedServer> {
  try {
    const report = await runDoctor({
      ...source,
      ...chosen,
      ...(onProgress === undefined
        ? {}
        : { onProgress: (done, total) => onProgress(done, total, server) }),
    });
    const findings = report.findings.map((finding) => ({ ...finding, server }));
    return { server, ...report, findings };
  } catch (error) {
    const code = error instanceof CloacinaError ? error.code : 'UNEXPECTED';
    return { server, error: { code, message: messageWithoutSecrets(error) } };
  }
}

function awayServers(servers: readonly ExaminedServer[]): DoctorFinding[] {
  return servers.flatMap((one) =>
    'error' in one
      ? [
          {
            check: 'server-away',
            severity: 'error' as const,
            title: 'A server could not be examined',
            server: one.server,
            detail: `Server "${one.server}": ${one.error.message}`,
            advice:
              'Bring the server up, or give its name the right connection. Then examine it again.',
            facts: { code: one.error.code },
          },
        ]
      : [],
  );
}

/** The schemas that are on several servers, with the names of these. */
function onSeveral(servers: readonly ExaminedServer[]): ReadonlyMap<string, readonly string[]> {
  const holders = new Map<string, string[]>();
  for (const one of servers) {
    if (!('schemas' in one)) continue;
    for (const schema of one.schemas)
      holders.set(schema, [...(holders.get(schema) ?? []), one.server]);
  }
  return new Map([...holders].filter(([, on]) => on.length > 1));
}

/** A schema is a tenant's on one of the servers only. What a move has left, or makes, is not a tenant. */
function duplicateSchemas(
  shared: ReadonlyMap<string, readonly string[]>,
  moves: Moves,
): DoctorFinding[] {
  return [...shared].flatMap(([schema, holders]) => {
    const on = holders.filter((server) => {
      const state = moves(schema, server)?.state;
      return state !== 'moved' && state !== 'arriving';
    });
    if (on.length < 2) return [];
    return [
      {
        check: 'duplicate-schema',
        severity: 'error' as const,
        title: 'A schema is on several servers',
        schema,
        detail: `The schema "${schema}" has the library's tables on the servers ${on.join(', ')}. Discovery serves neither.`,
        advice: 'Keep one of them, and rename or drop the others.',
        facts: { servers: on },
      },
    ];
  });
}
