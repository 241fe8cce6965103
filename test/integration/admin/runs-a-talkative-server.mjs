import path from 'node:path';
import { existsSync } from 'node:fs';
import { startEphemeralServer } from '../../../scripts/embedded-postgres.mjs';
import { embeddedBinaries } from '../../../scripts/postgres/binaries.mjs';
import { serverAccount } from '../../../scripts/postgres/account.mjs';
import { placeOf } from '../../../scripts/postgres/place.mjs';

/** A server that writes all it is sent to its log, and counts statements where it can. */
const account = serverAccount();
const binaries = embeddedBinaries(
  account,
  placeOf(path.resolve(import.meta.dirname, '../../..'), account),
);
const counts = existsSync(path.join(binaries, '../lib/postgresql/pg_stat_statements.so'));
const server = await startEphemeralServer({
  settings: {
    max_connections: 50,
    log_statement: 'all',
    log_min_duration_statement: 0,
    log_min_error_statement: 'debug5',
    log_min_messages: 'debug2',
    log_error_verbosity: 'verbose',
    log_parameter_max_length: -1,
    log_parameter_max_length_on_error: -1,
    log_connections: 'on',
    track_activity_query_size: 100_000,
    ...(counts ? { shared_preload_libraries: 'pg_stat_statements' } : {}),
  },
});
process.send({ url: server.url, log: path.join(server.directory, '../server.log'), counts });
process.on('message', () => {
  void server.stop().then(() => process.disconnect());
});
