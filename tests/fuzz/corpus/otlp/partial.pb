
why