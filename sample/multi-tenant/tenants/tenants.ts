import { Injectable, NotFoundException } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { CloacinaRunner, InjectRunner } from 'nestjs-cloacina';
import { DataSource } from 'typeorm';
import { acme, globex, type TenantProfile } from './profiles.js';

/** A customer, with what the application uses of it. */
export interface Tenant extends TenantProfile {
  readonly runner: CloacinaRunner;
  readonly dataSource: DataSource;
}

/** The customers by name, for code that serves all of them. */
@Injectable()
export class Tenants {
  readonly all: readonly Tenant[];

  constructor(
    @InjectRunner('acme') acmeRunner: CloacinaRunner,
    @InjectDataSource('acme') acmeData: DataSource,
    @InjectRunner('globex') globexRunner: CloacinaRunner,
    @InjectDataSource('globex') globexData: DataSource,
  ) {
    this.all = [
      { ...acme, runner: acmeRunner, dataSource: acmeData },
      { ...globex, runner: globexRunner, dataSource: globexData },
    ];
  }

  get(name: string): Tenant {
    const tenant = this.all.find((one) => one.name === name);
    if (tenant !== undefined) return tenant;
    const known = this.all.map((one) => one.name).join(', ');
    throw new NotFoundException(`There is no tenant "${name}". There are: ${known}.`);
  }
}
