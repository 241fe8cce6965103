import { Module } from '@nestjs/common';
import { AirportChunk } from './airport-chunk.workflow.js';
import { AirportImport } from './airport-import.workflow.js';
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
    AirportImport,
    AirportChunk,
    ImportsService,
    ImportProgress,
    Inbox,
    FirstImport,
  ],
  exports: [ImportsService, FirstImport],
})
export class ImportsModule {}
