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
import type { TenantRequest } from '../../cloacina.options.js';
import { NotAllowedError, NoTenantError, UnknownTenantError } from '../../errors/index.js';
import type { CloacinaRunner } from '../../runner/cloacina-runner.js';
import type { Tenant } from '../hosting/tenant.js';
import { TenantResolver } from './tenant-resolver.js';

/** The request, for a pipe to find its tenant: decorators get no providers, pipes do. */
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
 * The tenant that the request is for, as a parameter of a controller's method. Which one that is says the option
 * `tenantFrom` of `forRoot`. A request that names none is answered with 400 (BadRequestException), one that names a
 * stranger with 404 (NotFoundException).
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
 * The runner of the tenant that the request is for; see {@link CurrentTenant}.
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
 * Lets a request through when it is for a tenant that this process serves, and answers it with 400 or 404 otherwise,
 * also where no parameter asks for the tenant.
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

/** As Nest's exceptions, which it answers and doesn't log; the error of the library is their cause. */
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
