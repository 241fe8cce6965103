import { Body, Controller, Delete, Get, Param, Post } from '@nestjs/common';
import { FirstImport } from '../imports/first-import.js';
import { SignUps } from '../tenants/sign-ups.js';
import { Tenants } from '../tenants/tenants.js';
import { AddTenantDto } from './add-tenant.dto.js';

@Controller('tenants')
export class TenantsController {
  constructor(
    private readonly tenants: Tenants,
    private readonly signUps: SignUps,
    private readonly firstImport: FirstImport,
  ) {}

  @Get()
  list(): { name: string; schema: string; title: string }[] {
    return this.tenants.all.map(({ name, schema, title }) => ({ name, schema, title }));
  }

  /** When this responds, the customer can be used; its first import is still running. */
  @Post()
  async add(
    @Body() { name }: AddTenantDto,
  ): Promise<{ name: string; schema: string; firstImport: string }> {
    const tenant = await this.signUps.add(name);
    const { id } = await this.firstImport.begin(tenant);
    return { name, schema: tenant.schema, firstImport: id };
  }

  @Delete(':tenant')
  async remove(@Param('tenant') name: string): Promise<{ dropped: string[] }> {
    return { dropped: await this.signUps.remove(name) };
  }
}
