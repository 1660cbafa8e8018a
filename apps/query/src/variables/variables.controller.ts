import { Controller, Inject } from '@nestjs/common';
import { defined } from '../http/defined.ts';
import { Input, Route, type InputOf } from '../http/operation.ts';
import { pageOf } from '../http/schemas.ts';
import * as operations from './variables.operations.ts';
import { VariablesService } from './variables.service.ts';

@Controller('api/v1')
export class VariablesController {
  constructor(@Inject(VariablesService) private readonly variables: VariablesService) {}

  @Route(operations.listVariables)
  list(@Input() { query }: InputOf<typeof operations.listVariables>) {
    return this.variables.list(pageOf(query));
  }

  @Route(operations.getVariable)
  get(@Input() { params, query }: InputOf<typeof operations.getVariable>) {
    return this.variables.get(params.key, query.reveal);
  }

  @Route(operations.createVariable)
  create(@Input() { body, actor }: InputOf<typeof operations.createVariable>) {
    return this.variables.set(defined(body), actor, true);
  }

  @Route(operations.putVariable)
  put(@Input() { params, body, actor }: InputOf<typeof operations.putVariable>) {
    return this.variables.set(defined({ ...body, key: params.key }), actor, false);
  }

  @Route(operations.deleteVariable)
  delete(@Input() { params, actor }: InputOf<typeof operations.deleteVariable>) {
    return this.variables.delete(params.key, actor);
  }

  @Route(operations.importVariables)
  importAll(@Input() { body, actor }: InputOf<typeof operations.importVariables>) {
    return this.variables.importAll(body.variables, actor);
  }

  @Route(operations.exportVariables)
  exportAll(@Input() _input: InputOf<typeof operations.exportVariables>) {
    return this.variables.exportAll();
  }
}
