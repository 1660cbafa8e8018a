import { createRequire } from 'node:module';

/** The inner parts of nunjucks that are extended here; its own typings leave them out. */
export interface Node {
  readonly typename: string;
  readonly lineno: number;
  readonly colno: number;
  readonly children: readonly Node[];
  readonly value: unknown;
  readonly target: Node;
  readonly val: Node;
  readonly name: Node;
  readonly args: Node;
  readonly left: Node;
  readonly right: Node;
  readonly expr: Node;
  readonly ops: readonly { readonly type: string; readonly expr: Node }[];
  readonly cond: Node;
  readonly body: Node;
  readonly else_: Node | null;
  arr: Node;
}

export interface Token {
  readonly type: string;
  readonly value: string;
  readonly lineno: number;
  readonly colno: number;
}

export interface ParserBase {
  peekToken(): Token;
  nextToken(): Token;
  skip(type: string): boolean;
  skipValue(type: string, value: string): boolean;
  parseSignature(): Node;
  parseExpression(): Node;
  parseUnary(): Node;
  parseStatement(): Node | null;
  parseConcat(): Node;
  parsePostfix(node: Node): Node;
  parseAsRoot(): Node;
  advanceAfterBlockEnd(name: string): void;
  fail(message: string, line?: number, column?: number): never;
}

export interface CompileFrame {
  lookup(name: string): string | undefined;
}

export interface CompilerBase {
  buffer: string;
  _emit(code: string): void;
  _emitLine(code: string): void;
  _compileAggregate(node: Node, frame: CompileFrame, start?: string, end?: string): void;
  _getNodeName(node: Node): string;
  _withScopedSyntax(body: () => void): void;
  compile(node: Node, frame?: CompileFrame): void;
  compileLiteral(node: Node): void;
  compileFor(node: Node, frame: CompileFrame): void;
  assertType(node: Node, ...types: unknown[]): void;
  getCode(): string;
}

export type NodeClass = new (line: number, column: number, ...fields: unknown[]) => Node;

export interface Environment {
  readonly filters: Readonly<Record<string, (...args: unknown[]) => unknown>>;
  addGlobal(name: string, value: unknown): void;
}

export interface Nunjucks {
  readonly Environment: new (loaders: unknown, options: Readonly<Record<string, unknown>>) => Environment;
  readonly Template: new (
    source: { readonly type: 'code'; readonly obj: unknown },
    env: Environment,
    path: string,
    eager: boolean,
  ) => { render(context: object): string };
  readonly Loader: new () => object;
  readonly parser: { readonly Parser: new (tokens: unknown) => ParserBase };
  readonly compiler: { readonly Compiler: new (name: string, throwOnUndefined: boolean) => CompilerBase };
  readonly lexer: { lex(source: string, options?: object): unknown };
  readonly nodes: Readonly<Record<string, NodeClass>> & {
    readonly Node: NodeClass & { extend(name: string, props: object): NodeClass };
  };
}

export interface Transformer {
  readonly transform: (root: Node, asyncFilters: readonly string[], name: string) => Node;
}

const require = createRequire(import.meta.url);

/** Loaded on first use: most attempts render nothing. */
export const loadNunjucks = (): Nunjucks => require('nunjucks') as Nunjucks;
export const loadTransformer = (): Transformer => require('nunjucks/src/transformer') as Transformer;
