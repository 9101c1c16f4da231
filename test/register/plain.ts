import { serve } from "./app.js"

console.log(JSON.stringify(await serve()))
