import {
  loadNunjucks,
  loadTransformer,
  type CompileFrame,
  type Node,
  type NodeClass,
  type Nunjucks,
} from './nunjucks.ts';
import { parserClass } from './parser.ts';

/**
 * Templates as Jinja understands them, on nunjucks' lexer, parser and code generator: Python's values, operators and
 * methods, slices, `{% do %}` and strict undefined. nunjucks itself stays as it is, for whoever else uses it in the process.
 */
export interface TemplateCompiler {
  /** The render functions of a source, for `new Template({ type: 'code', obj })`. `native`: a lone expression is captured as its value. */
  compile(source: string, name: string, native: boolean): object;
}

export function createCompiler(): TemplateCompiler {
  const nunjucks = loadNunjucks();
  const { transform } = loadTransformer();
  const Slice = nunjucks.nodes.Node.extend('Slice', { fields: ['start', 'stop', 'step'] });
  const Each = nunjucks.nodes.Node.extend('Each', { fields: ['arr', 'names'] });
  const Parser = parserClass(nunjucks, Slice);
  const Compiler = compilerClass(nunjucks, Slice, Each);
  return {
    compile(source, name, native) {
      const root = new Parser(nunjucks.lexer.lex(source.replace(/\r?\n$/, ''))).parseAsRoot();
      const compiler = new Compiler(name, false);
      compiler.native = native && isLoneExpression(root);
      compiler.compile(transform(root, [], name));
      // oxlint-disable-next-line typescript/no-implied-eval -- nunjucks generates JavaScript, and loads it in this way too
      return new Function(compiler.getCode())() as object;
    },
  };
}

function isLoneExpression(root: Node): boolean {
  const [only, ...more] = root.children
    .flatMap((node) => (node.typename === 'Output' ? node.children : [node]))
    .filter((node) => node.typename !== 'TemplateData' || node.value !== '');
  return (
    only !== undefined &&
    more.length === 0 &&
    only.typename !== 'TemplateData' &&
    root.children.some((node) => node.typename === 'Output')
  );
}

const BINARY = {
  Add: 'add',
  Sub: 'sub',
  Mul: 'mul',
  Div: 'div',
  FloorDiv: 'floorDiv',
  Mod: 'mod',
  Pow: 'pow',
  Concat: 'concat',
  In: 'contains',
};

function compilerClass({ compiler }: Nunjucks, Slice: NodeClass, Each: NodeClass) {
  class Generator extends compiler.Compiler {
    native = false;

    override assertType(node: Node, ...types: unknown[]): void {
      if (![Slice, Each].some((type) => node instanceof type)) super.assertType(node, ...types);
    }

    /** Emits a call of one of the operations on Python's values. The line is kept for the error that it may throw. */
    call(operation: string, node: Node, ...parts: (() => void)[]): void {
      this._emit(`(lineno = ${node.lineno}, env.py.${operation}(`);
      parts.forEach((part, i) => {
        if (i > 0) this._emit(', ');
        part();
      });
      this._emit('))');
    }

    part(node: Node, frame: CompileFrame): () => void {
      return () => this.compile(node, frame);
    }

    text(value: unknown): () => void {
      return () => this._emit(JSON.stringify(value));
    }

    lazy(node: Node, frame: CompileFrame): () => void {
      return () => {
        this._emit('() => (');
        this.compile(node, frame);
        this._emit(')');
      };
    }

    compileOutput(node: Node, frame: CompileFrame): void {
      for (const child of node.children) {
        this._emit(`${this.buffer} += `);
        if (child.typename === 'TemplateData') this.compileLiteral(child);
        else this.call(this.native ? 'capture' : 'str', child, this.part(child, frame));
        this._emitLine(';');
      }
    }

    compileSymbol(node: Node, frame: CompileFrame): void {
      const known = frame.lookup(String(node.value));
      if (known) this._emit(known);
      else this._emit(`env.py.lookup(context, frame, ${JSON.stringify(node.value)}, ${node.lineno + 1})`);
    }

    compileLookupVal(node: Node, frame: CompileFrame): void {
      this.lookupMember(node, frame, false);
    }

    lookupMember(node: Node, frame: CompileFrame, called: boolean): void {
      const { val } = node;
      if (val instanceof Slice) {
        const { start, stop, step } = val as unknown as { start: Node; stop: Node; step: Node };
        this.call(
          'slice',
          node,
          this.part(node.target, frame),
          this.part(start, frame),
          this.part(stop, frame),
          this.part(step, frame),
        );
      } else
        this.call(
          'member',
          node,
          this.part(node.target, frame),
          this.part(node.val, frame),
          this.text(pathOf(node)),
          this.text(node.lineno + 1),
          this.text(called),
        );
    }

    compileFunCall(node: Node, frame: CompileFrame): void {
      const callee = (): void =>
        node.name.typename === 'LookupVal' ? this.lookupMember(node.name, frame, true) : this.compile(node.name, frame);
      this.call('call', node, callee, this.text(pathOf(node.name)), () =>
        this._compileAggregate(node.args, frame, '[', ']'),
      );
    }

    compileFilter(node: Node, frame: CompileFrame): void {
      this.call(
        'filter',
        node,
        this.text(node.name.value),
        () => this._emit('context'),
        () => this._compileAggregate(node.args, frame, '[', ']'),
      );
    }

    compileIs(node: Node, frame: CompileFrame): void {
      const { right } = node;
      const name = right.name === undefined ? String(right.value ?? 'none') : String(right.name.value);
      const args = (): void =>
        right.args === undefined ? this._emit('[]') : this._compileAggregate(right.args, frame, '[', ']');
      this.call('test', node, this.text(name), this.part(node.left, frame), args);
    }

    compileCompare(node: Node, frame: CompileFrame): void {
      const operands = [node.expr, ...node.ops.map((op) => op.expr)];
      node.ops.forEach((op, i) => {
        if (i > 0) this._emit(' && ');
        this.call(
          'compare',
          node,
          this.part(operands[i]!, frame),
          this.text(op.type),
          this.part(operands[i + 1]!, frame),
        );
      });
    }

    compileInlineIf(node: Node, frame: CompileFrame): void {
      this._emit('(');
      this.call('truthy', node, this.part(node.cond, frame));
      this._emit(' ? ');
      this.compile(node.body, frame);
      this._emit(' : ');
      if (node.else_ === null) this._emit('""');
      else this.compile(node.else_, frame);
      this._emit(')');
    }

    compileIf(node: Node, frame: CompileFrame): void {
      this._emit('if(');
      this.call('truthy', node, this.part(node.cond, frame));
      this._emitLine(') {');
      this._withScopedSyntax(() => this.compile(node.body, frame));
      if (node.else_ !== null && node.else_ !== undefined) {
        const otherwise = node.else_;
        this._emitLine('} else {');
        this._withScopedSyntax(() => this.compile(otherwise, frame));
      }
      this._emitLine('}');
    }

    override compileFor(node: Node, frame: CompileFrame): void {
      const names = node.name.typename === 'Array' ? node.name.children.length : 1;
      const { arr } = node;
      // Wrapped, so that the loop itself stays nunjucks' while Python says what it goes through.
      node.arr = new Each(arr.lineno, arr.colno, arr, names);
      super.compileFor(node, frame);
    }

    compileEach(node: Node, frame: CompileFrame): void {
      const { names } = node as unknown as { readonly names: number };
      this.call('each', node, this.part(node.arr, frame), this.text(names));
    }

    /** `(a)` is a, `(a, b)` a list. */
    compileGroup(node: Node, frame: CompileFrame): void {
      const tuple = node.children.length !== 1;
      this._compileAggregate(node, frame, tuple ? '[' : '(', tuple ? ']' : ')');
    }

    compileAnd(node: Node, frame: CompileFrame): void {
      this.call('and', node, this.part(node.left, frame), this.lazy(node.right, frame));
    }
    compileOr(node: Node, frame: CompileFrame): void {
      this.call('or', node, this.part(node.left, frame), this.lazy(node.right, frame));
    }
    compileNot(node: Node, frame: CompileFrame): void {
      this.call('not', node, this.part(node.target, frame));
    }
    compileNeg(node: Node, frame: CompileFrame): void {
      this.call('neg', node, this.part(node.target, frame));
    }
  }
  for (const [typename, operation] of Object.entries(BINARY)) {
    const value = function (this: Generator, node: Node, frame: CompileFrame): void {
      this.call(operation, node, this.part(node.left, frame), this.part(node.right, frame));
    };
    Object.defineProperty(Generator.prototype, `compile${typename}`, { value });
  }
  return Generator;
}

/** `dag_run.conf['x']` for messages. */
function pathOf(node: Node): string {
  switch (node.typename) {
    case 'Symbol':
      return String(node.value);
    case 'LookupVal':
      return node.val.typename === 'Literal'
        ? typeof node.val.value === 'string'
          ? `${pathOf(node.target)}.${node.val.value}`
          : `${pathOf(node.target)}[${String(node.val.value)}]`
        : `${pathOf(node.target)}[…]`;
    case 'FunCall':
      return `${pathOf(node.name)}()`;
    case 'Literal':
      return JSON.stringify(node.value);
    default:
      return `a ${node.typename.toLowerCase()}`;
  }
}
