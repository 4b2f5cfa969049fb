/**
 * Types of what we use of `@std/*`: the npm package behind the import map is JavaScript without declarations.
 *
 * @module
 */
