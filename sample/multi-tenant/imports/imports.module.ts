import { Module } from '@nestjs/common';
import { AirportImport } from './airport-import.workflow.js';
import { ChunkLoader } from './chunk-loader.js';
import { CountryCodes } from './country-codes.js';
import { DataSet } from './data-set.js';
import { FirstImport } from './first-import.js';
import { Inbox } from './inbox.js';
import { ImportProgress } from './import-progress.js';
import { ImportsService } from './imports.service.js';

@Module({
  providers: [
    DataSet,
    CountryCodes,
    ChunkLoader,
    AirportImport,
    ImportsService,
    ImportProgress,
    Inbox,
    FirstImport,
  ],
  exports: [ImportsService, FirstImport],
})
export class ImportsModule {}
