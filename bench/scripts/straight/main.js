export { straight as answer } from '../desk/main.js' // one answer, nothing to wait for
