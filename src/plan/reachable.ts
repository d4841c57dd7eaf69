import type { Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';

/** Every vertex that `target` needs, once, inputs before what uses them, and otherwise in the order of `ends` (the ends of the stages). */
export function verticesOf(target: Vertex<Spec>, ends: Iterable<Vertex<Spec>>): readonly Vertex<Spec>[] {
  const needed = new Set(inOrder([target]).map(({ digest }) => digest));
  return inOrder(ends).filter(({ digest }) => needed.has(digest));
}

/** Depth first, with a stack of its own: a chain may be longer than the stack of JavaScript. */
function inOrder(roots: Iterable<Vertex<Spec>>): readonly Vertex<Spec>[] {
  const done = new Map<string, Vertex<Spec>>();
  for (const root of roots) {
    const stack = [{ vertex: root, next: 0 }];
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const input = top.vertex.inputs[top.next];
      top.next += 1;
      if (input && !done.has(input.digest)) stack.push({ vertex: input, next: 0 });
      else if (!input) {
        done.set(top.vertex.digest, done.get(top.vertex.digest) ?? top.vertex);
        stack.pop();
      }
    }
  }
  return [...done.values()];
}
