import { Global, Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { CloacinaModule } from 'nestjs-cloacina';
import { Airport } from '../airports/airport.entity.js';
import { Country } from '../airports/country.entity.js';
import { CreateAirportTables1767225600000 } from '../airports/create-airport-tables.migration.js';
import { ImportReport } from '../airports/import-report.entity.js';
import { RejectedRow } from '../airports/rejected-row.entity.js';
import { profiles } from './profiles.js';
import { Tenants } from './tenants.js';

/** Two customers on one database and one pool of connections, each in a schema of its own. */
@Global()
@Module({
  imports: [
    CloacinaModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({
        databaseUrl: config.getOrThrow<string>('DATABASE_URL'),
        shutdownTimeout: '5s',
      }),
    }),
    ...profiles.map(({ name, schema }) =>
      CloacinaModule.forTenant({
        tenant: name,
        schema,
        maxConcurrentTasks: 4,
        entities: [Airport, Country, RejectedRow, ImportReport],
        migrations: [CreateAirportTables1767225600000],
      }),
    ),
  ],
  providers: [Tenants],
  exports: [Tenants],
})
export class TenantsModule {}
