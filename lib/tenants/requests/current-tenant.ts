import {
  BadRequestException,
  createParamDecorator,
  Inject,
  Injectable,
  NotFoundException,
  type CanActivate,
  type ExecutionContext,
  type PipeTransform,
} from '@nestjs/common';
import type { TenantRequest } from '../../cloacina.callbacks.js';
import { NotAllowedError, NoTenantError, UnknownTenantError } from '../../errors/index.js';
import type { CloacinaRunner } from '../../runner/cloacina-runner.js';
import type { Tenant } from '../hosting/tenant.js';
import { TenantResolver } from './tenant-resolver.js';

/** Passes the request to a pipe, which finds its tenant: pipes can inject providers, parameter decorators cannot. */
const RequestOf = createParamDecorator((what: string, context: ExecutionContext) =>
  requestOf(what, context),
);

@Injectable()
class TenantPipe implements PipeTransform<TenantRequest, Promise<Tenant>> {
  constructor(@Inject(TenantResolver) private readonly resolver: TenantResolver) {
    resolver.need('@CurrentTenant()');
  }

  transform(request: TenantRequest): Promise<Tenant> {
    return tenantOf(this.resolver, request);
  }
}

@Injectable()
class RunnerPipe implements PipeTransform<TenantRequest, Promise<CloacinaRunner>> {
  constructor(@Inject(TenantResolver) private readonly resolver: TenantResolver) {
    resolver.need('@CurrentRunner()');
  }

  async transform(request: TenantRequest): Promise<CloacinaRunner> {
    return (await tenantOf(this.resolver, request)).runner;
  }
}

/**
 * Parameter decorator for controllers: the tenant of the request. The option `tenantFrom` of `forRoot` names it. The
 * response is 400 (BadRequestException) if the request names no tenant, and 404 (NotFoundException) if this process does
 * not serve it.
 *
 * @example
 * ```ts
 * @Get('report')
 * report(@CurrentTenant() tenant: Tenant) {
 *   return tenant.dataSource.getRepository(Invoice).find();
 * }
 * ```
 */
export function CurrentTenant(): ParameterDecorator {
  return RequestOf('@CurrentTenant()', TenantPipe);
}

/**
 * Parameter decorator for controllers: the runner of the request's tenant. See {@link CurrentTenant}.
 *
 * @example
 * ```ts
 * @Post('orders/:id')
 * place(@CurrentRunner() runner: CloacinaRunner, @Param('id', ParseIntPipe) orderId: number) {
 *   return runner.start(OrderFulfilment, { orderId });
 * }
 * ```
 */
export function CurrentRunner(): ParameterDecorator {
  return RequestOf('@CurrentRunner()', RunnerPipe);
}

/**
 * Admits requests of tenants that this process serves. Others get 400 or 404, as with {@link CurrentTenant}, even if no
 * parameter of the method needs the tenant.
 *
 * @example
 * ```ts
 * @UseGuards(TenantGuard)
 * @Controller('orders')
 * export class OrdersController {}
 * ```
 */
@Injectable()
export class TenantGuard implements CanActivate {
  constructor(@Inject(TenantResolver) private readonly resolver: TenantResolver) {
    resolver.need('TenantGuard');
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    await tenantOf(this.resolver, requestOf('TenantGuard', context));
    return true;
  }
}

/** Throws Nest's exceptions, which Nest answers without logging. Their cause is the library's error. */
async function tenantOf(resolver: TenantResolver, request: TenantRequest): Promise<Tenant> {
  try {
    return await resolver.resolve(request);
  } catch (error) {
    if (error instanceof NoTenantError) {
      throw new BadRequestException(error.message, { cause: error });
    }
    if (error instanceof UnknownTenantError) {
      throw new NotFoundException(error.message, { cause: error });
    }
    throw error;
  }
}

function requestOf(what: string, context: ExecutionContext): TenantRequest {
  if (context.getType() === 'http') return context.switchToHttp().getRequest<TenantRequest>();
  throw new NotAllowedError(
    `${what} outside of HTTP`,
    'a tenant can be resolved from HTTP requests only',
    'Inject CloacinaTenants and get() the tenant by its name.',
  );
}
